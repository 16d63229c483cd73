//! Where events are told: `defmt`, or nowhere.

#[cfg(feature = "defmt")]
pub(crate) use defmt::debug;

/// Nothing is told, and nothing is left of it in the program.
#[cfg(not(feature = "defmt"))]
macro_rules! debug {
    ($format:literal $(, $value:expr)* $(,)?) => {{
        $( let _ = &$value; )*
    }};
}
#[cfg(not(feature = "defmt"))]
pub(crate) use debug;
