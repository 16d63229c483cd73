//! Text and bytes of a configuration: anybody's where there is a heap, a program's own where there is none.

use core::fmt;

#[cfg(feature = "alloc")]
type Held<T> = alloc::borrow::Cow<'static, T>;
#[cfg(not(feature = "alloc"))]
type Held<T> = &'static T;

/// Text of a configuration: a `&'static str`, or, with the feature `alloc`, any text.
#[derive(Clone, PartialEq, Eq)]
pub struct Text(Held<str>);

/// Bytes of a configuration: `&'static [u8]` or `&'static str`, or, with the feature `alloc`, any bytes or text.
#[derive(Clone, PartialEq, Eq)]
pub struct Octets(Held<[u8]>);

impl Text {
    pub(crate) const EMPTY: Text = Text::fixed("");

    pub(crate) const fn fixed(text: &'static str) -> Self {
        #[cfg(feature = "alloc")]
        return Text(alloc::borrow::Cow::Borrowed(text));
        #[cfg(not(feature = "alloc"))]
        return Text(text);
    }

    #[cfg_attr(not(feature = "alloc"), expect(clippy::needless_borrow, reason = "with a heap it is a `Cow`"))]
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl Octets {
    #[cfg_attr(not(feature = "alloc"), expect(clippy::needless_borrow, reason = "with a heap it is a `Cow`"))]
    pub(crate) fn as_slice(&self) -> &[u8] {
        &self.0
    }
}

#[cfg(not(feature = "alloc"))]
mod borrowed {
    use super::{Octets, Text};

    impl From<&'static str> for Text {
        fn from(text: &'static str) -> Self {
            Text(text)
        }
    }

    impl From<&'static [u8]> for Octets {
        fn from(bytes: &'static [u8]) -> Self {
            Octets(bytes)
        }
    }

    impl<const N: usize> From<&'static [u8; N]> for Octets {
        fn from(bytes: &'static [u8; N]) -> Self {
            Octets(bytes)
        }
    }

    impl From<&'static str> for Octets {
        fn from(text: &'static str) -> Self {
            Octets(text.as_bytes())
        }
    }
}

#[cfg(feature = "alloc")]
mod owned {
    use super::{Octets, Text};
    use alloc::{borrow::Cow, string::String, vec::Vec};

    impl From<&str> for Text {
        fn from(text: &str) -> Self {
            String::from(text).into()
        }
    }

    impl From<String> for Text {
        fn from(text: String) -> Self {
            Text(Cow::Owned(text))
        }
    }

    impl From<&String> for Text {
        fn from(text: &String) -> Self {
            text.as_str().into()
        }
    }

    impl From<Vec<u8>> for Octets {
        fn from(bytes: Vec<u8>) -> Self {
            Octets(Cow::Owned(bytes))
        }
    }

    impl From<&[u8]> for Octets {
        fn from(bytes: &[u8]) -> Self {
            bytes.to_vec().into()
        }
    }

    impl<const N: usize> From<&[u8; N]> for Octets {
        fn from(bytes: &[u8; N]) -> Self {
            bytes.to_vec().into()
        }
    }

    impl From<&str> for Octets {
        fn from(text: &str) -> Self {
            text.as_bytes().into()
        }
    }

    impl From<String> for Octets {
        fn from(text: String) -> Self {
            text.into_bytes().into()
        }
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl fmt::Debug for Octets {
    /// Says how many, since they may be a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}
