//! `Send` where tasks can move between threads, nothing where they cannot: the one file here that knows a target.

#[cfg(not(any(target_arch = "wasm32", target_os = "none")))]
mod bounds {
    /// `Send` on targets where a task can move between threads.
    ///
    /// It has `Send` as a supertrait there, so a generic function that asks for `MaybeSend` may hand its futures to
    /// a multi-threaded runtime.
    pub trait MaybeSend: Send {}
    impl<T: Send + ?Sized> MaybeSend for T {}

    /// `Sync` on targets where a reference can be used from another thread.
    pub trait MaybeSync: Sync {}
    impl<T: Sync + ?Sized> MaybeSync for T {}
}

#[cfg(any(target_arch = "wasm32", target_os = "none"))]
mod bounds {
    /// `Send` where tasks can move between threads; on this target they cannot, so every type is `MaybeSend`.
    pub trait MaybeSend {}
    impl<T: ?Sized> MaybeSend for T {}

    /// `Sync` where there are threads; on this target there are none, so every type is `MaybeSync`.
    pub trait MaybeSync {}
    impl<T: ?Sized> MaybeSync for T {}
}

pub use bounds::{MaybeSend, MaybeSync};
