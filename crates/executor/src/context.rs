//! What a service is handed: the runtime, and who it is.

use crate::RuntimeAdapter;
use core::ops::Deref;

/// A service's own view of its runtime.
///
/// It dereferences to the adapter, so `ctx.now()`, `ctx.sleep(…)` and everything of
/// [`RuntimeExt`](crate::RuntimeExt) can be called on it. Cheap to clone.
#[derive(Debug, Clone)]
pub struct RuntimeContext<R> {
    runtime: R,
    service: &'static str,
    instance: u16,
}

impl<R: RuntimeAdapter> RuntimeContext<R> {
    /// The context of the first instance of `service` on `runtime`.
    pub fn new(runtime: R, service: &'static str) -> Self {
        RuntimeContext { runtime, service, instance: 0 }
    }

    /// The same, for instance number `instance` (from 0).
    #[must_use]
    pub fn with_instance(self, instance: u16) -> Self {
        RuntimeContext { instance, ..self }
    }

    /// The adapter itself.
    pub fn runtime(&self) -> &R {
        &self.runtime
    }

    /// The service's name.
    pub fn service(&self) -> &'static str {
        self.service
    }

    /// Which of the service's instances this is, from 0.
    pub fn instance(&self) -> u16 {
        self.instance
    }
}

impl<R> Deref for RuntimeContext<R> {
    type Target = R;
    fn deref(&self) -> &R {
        &self.runtime
    }
}
