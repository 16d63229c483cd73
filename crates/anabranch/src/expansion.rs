//! What the code that `#[service]` generates needs beside the public items. The features are decided here, where this
//! crate is compiled, so that a crate of services needs none of its own.

/// Not for use by hand.
#[doc(hidden)]
pub mod __private {
    /// The state of a service that is spawned by itself.
    #[cfg(all(feature = "services", feature = "alloc"))]
    pub fn new_state() -> alloc::sync::Arc<crate::ServiceState> {
        alloc::sync::Arc::new(crate::ServiceState::new())
    }
    #[cfg(all(feature = "services", feature = "alloc"))]
    extern crate alloc;
}

/// No runtime here places tasks into static storage.
#[cfg(not(feature = "embassy-runtime"))]
#[doc(hidden)]
#[macro_export]
macro_rules! __slot_words {
    ($task:ident) => {
        0
    };
}

/// Its items, where there is a heap.
#[cfg(feature = "alloc")]
#[doc(hidden)]
#[macro_export]
macro_rules! __if_alloc {
    ($($items:tt)*) => { $($items)* };
}

/// Its items, where there is a heap.
#[cfg(not(feature = "alloc"))]
#[doc(hidden)]
#[macro_export]
macro_rules! __if_alloc {
    ($($items:tt)*) => {};
}
