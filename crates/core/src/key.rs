//! What records are called, and how a name can be tied to a type at compile time.

/// The name of a record that holds values of type `T`.
///
/// A string is a key for any type, and a wrong type is found when the database is built. A derived key is a key for one
/// type, and a wrong type does not compile:
///
/// ```
/// use anabranch_core::RecordKey;
///
/// struct Temperature; // with the façade: #[derive(RecordKey)] #[record(key = "sensor/temperature", value = f32)]
/// impl RecordKey<f32> for Temperature {
///     fn name(&self) -> &str {
///         "sensor/temperature"
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not the key of a record of `{T}`",
    label = "this key belongs to a record of another type, or is no key",
    note = "derive it: `#[derive(RecordKey)] #[record(key = \"…\", value = {T})]`, or use a string"
)]
pub trait RecordKey<T> {
    /// The record's name.
    fn name(&self) -> &str;
}

impl<T> RecordKey<T> for str {
    fn name(&self) -> &str {
        self
    }
}

#[cfg(feature = "alloc")]
impl<T> RecordKey<T> for alloc::string::String {
    fn name(&self) -> &str {
        self
    }
}

impl<T, K: RecordKey<T> + ?Sized> RecordKey<T> for &K {
    fn name(&self) -> &str {
        (**self).name()
    }
}
