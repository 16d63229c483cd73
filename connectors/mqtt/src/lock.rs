//! The lock between those who publish and the task that sends: the standard library's, or a critical section without it.

#[cfg(feature = "std")]
mod imp {
    #[derive(Debug, Default)]
    pub(crate) struct Lock<T>(std::sync::Mutex<T>);

    impl<T> Lock<T> {
        pub(crate) const fn new(value: T) -> Self {
            Lock(std::sync::Mutex::new(value))
        }
        #[inline]
        pub(crate) fn with<U>(&self, work: impl FnOnce(&mut T) -> U) -> U {
            // Nothing that runs inside leaves a half-made state behind should it panic.
            work(&mut self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
        }
    }
}

#[cfg(not(feature = "std"))]
mod imp {
    use core::cell::RefCell;

    #[derive(Debug)]
    pub(crate) struct Lock<T>(critical_section::Mutex<RefCell<T>>);

    impl<T> Lock<T> {
        pub(crate) const fn new(value: T) -> Self {
            Lock(critical_section::Mutex::new(RefCell::new(value)))
        }
        pub(crate) fn with<U>(&self, work: impl FnOnce(&mut T) -> U) -> U {
            // `work` never comes back here: it is short, and of this crate.
            critical_section::with(|token| work(&mut self.0.borrow_ref_mut(token)))
        }
    }
}

pub(crate) use imp::Lock;
