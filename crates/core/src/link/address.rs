//! Addresses: `scheme[+name]://` and then the protocol's own address, byte for byte.

use crate::link::payload::{Payload, PayloadFull};
use core::fmt;

/// An address of a link, taken apart: `mqtt+plant://sensors/{device}/temp`.
///
/// What follows `://` is not parsed as a URL: case is kept, and `?`, `#` and `%` are characters like others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Address<'a> {
    /// The scheme with the connector's name, if it has one: `mqtt` or `mqtt+plant`.
    pub scheme: &'a str,
    /// The protocol's own address: `sensors/{device}/temp`.
    pub resource: &'a str,
}

/// What is wrong with an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum AddressError {
    /// There is no `://`.
    #[error("it has no scheme: write it as `mqtt://sensors/temp`")]
    NoScheme,
    /// The scheme holds other characters.
    #[error(
        "its scheme may hold lower-case letters, digits and `-`, and a name after `+` letters, digits, `-` and `_`; 200 characters at most"
    )]
    BadScheme,
    /// Nothing follows `://`.
    #[error("nothing follows its scheme: name the topic or place")]
    Empty,
    /// `{name}`, `+` or `#` beside other characters.
    #[error(
        "a wildcard stands beside other characters: an inbound `{{name}}`, `+` or `#` is a whole level between `/`"
    )]
    PartOfLevel,
    /// `#` before the end.
    #[error("`#` stands before the end: it takes all the levels that are left, so it can only be the last")]
    RestNotLast,
    /// `{}`, or a name with a character that no field has.
    #[error("a `{{name}}` is empty or holds a character that no field's name has")]
    BadName,
    /// `{` without `}`, or the other way round.
    #[error("a `{{` has no `}}`, or the other way round")]
    Unclosed,
    /// One name twice.
    #[error("a `{{name}}` stands there twice: give each part of the address a name of its own")]
    NameTwice,
    /// `+` or `#` in an address to publish to.
    #[error("`+` and `#` cannot be published to: name the place, or take it from a field of the value as `{{field}}`")]
    WildcardOutbound,
}

impl<'a> Address<'a> {
    /// Takes `text` apart.
    ///
    /// # Errors
    /// [`AddressError::NoScheme`], [`AddressError::BadScheme`] or [`AddressError::Empty`].
    pub fn parse(text: &'a str) -> Result<Self, AddressError> {
        let (scheme, resource) = parts(text).ok_or(AddressError::NoScheme)?;
        let (protocol, name) = scheme.split_once('+').map_or((scheme, None), |(p, n)| (p, Some(n)));
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        let named = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if scheme.len() > 200 {
            return Err(AddressError::BadScheme);
        }
        let named_well = name.is_none_or(|name| !name.is_empty() && name.chars().all(named));
        if protocol.is_empty() || !protocol.chars().all(plain) || !named_well {
            return Err(AddressError::BadScheme);
        }
        if resource.is_empty() {
            return Err(AddressError::Empty);
        }
        Ok(Address { scheme, resource })
    }
}

/// What stands before `://` and what after it. Not found as a text: that search takes a microcontroller two kilobytes.
pub(crate) fn parts(address: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = address.split_once(':')?;
    Some((scheme, rest.strip_prefix("//")?))
}

/// Where an address goes on after its scheme, 0 if it has none: it is asked for with every value, and so found once. In a
/// `const`, so that a microcontroller has it from its compiler.
pub(crate) const fn resource_at(address: &str) -> u8 {
    let (mut rest, mut at) = (address.as_bytes(), 3);
    // A scheme has 200 characters at most.
    while let [_, after @ ..] = rest
        && at <= 203
    {
        if matches!(rest, [b':', b'/', b'/', ..]) {
            return at;
        }
        (rest, at) = (after, at + 1);
    }
    0
}

/// The address without its scheme.
pub(crate) fn resource(address: &str, at: u8) -> &str {
    if at == 0 { "" } else { address.get(usize::from(at)..).unwrap_or("") }
}

/// Whether an outbound address is the same for every value: it has no `{field}`.
pub(crate) const fn is_fixed(address: &str) -> bool {
    let mut rest = address.as_bytes();
    while let [first, after @ ..] = rest {
        if matches!(first, b'{') {
            return false;
        }
        rest = after;
    }
    true
}

/// One level of an inbound address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Level<'a> {
    /// Exactly this.
    Literal(&'a str),
    /// `+`, or `{name}`: any one level.
    One(Option<&'a str>),
    /// `#`: all levels that are left, none included.
    Rest,
}

/// The levels of an inbound address that was checked.
pub(crate) fn levels(resource: &str) -> impl Iterator<Item = Level<'_>> + Clone {
    resource.split('/').map(|level| match level {
        "+" => Level::One(None),
        "#" => Level::Rest,
        _ => match level.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
            Some(name) => Level::One(Some(name)),
            None => Level::Literal(level),
        },
    })
}

/// Whether an inbound address matches: `+` and `{name}` any one level, `#` all that are left, none included. As MQTT has it,
/// a first level that is a wildcard does not match one that begins with `$`.
pub(crate) fn matches(resource: &str, address: &str) -> bool {
    let mut parts = address.split('/');
    for (i, level) in levels(resource).enumerate() {
        match level {
            Level::Rest => return i > 0 || !address.starts_with('$'),
            Level::One(_) => match parts.next() {
                Some(part) if i > 0 || !part.starts_with('$') => {}
                _ => return false,
            },
            Level::Literal(text) => {
                if parts.next() != Some(text) {
                    return false;
                }
            }
        }
    }
    parts.next().is_none()
}

/// Says what is wrong with an inbound address, after its scheme.
pub(crate) fn check_inbound(resource: &str) -> Result<(), AddressError> {
    let mut rest = false;
    for (i, level) in levels(resource).enumerate() {
        if rest {
            return Err(AddressError::RestNotLast);
        }
        match level {
            Level::Rest => rest = true,
            Level::One(None) => {}
            Level::One(Some(name)) => {
                check_name(name)?;
                if levels(resource).take(i).any(|other| other == level) {
                    return Err(AddressError::NameTwice);
                }
            }
            Level::Literal(text) => {
                let braces = (text.matches('{').count(), text.matches('}').count());
                if braces.0 != braces.1 {
                    return Err(AddressError::Unclosed);
                }
                if braces.0 > 0 || text.contains(['+', '#']) {
                    return Err(AddressError::PartOfLevel);
                }
            }
        }
    }
    Ok(())
}

fn check_name(name: &str) -> Result<(), AddressError> {
    let fits = |c: char| !c.is_control() && !matches!(c, '{' | '}' | '/' | '+' | '#');
    if name.is_empty() || !name.chars().all(fits) { Err(AddressError::BadName) } else { Ok(()) }
}

/// An outbound address, whose `{field}`s are filled in from each value.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Template<'a>(&'a str);

/// A piece of a [`Template`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Piece<'a> {
    Literal(&'a str),
    Field(&'a str),
}

impl<'a> Template<'a> {
    /// Takes an outbound address, after its scheme.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn parse(resource: &'a str) -> Result<Self, AddressError> {
        let mut rest = resource;
        while let Some((literal, after)) = rest.split_once('{') {
            let (name, after) = after.split_once('}').ok_or(AddressError::Unclosed)?;
            if literal.contains('}') {
                return Err(AddressError::Unclosed);
            }
            if literal.contains(['+', '#']) {
                return Err(AddressError::WildcardOutbound);
            }
            check_name(name)?;
            rest = after;
        }
        if rest.contains('}') {
            return Err(AddressError::Unclosed);
        }
        if rest.contains(['+', '#']) {
            return Err(AddressError::WildcardOutbound);
        }
        Ok(Template(resource))
    }

    /// One that was parsed before.
    pub(crate) fn parsed(resource: &'a str) -> Self {
        Template(resource)
    }

    fn pieces(self) -> impl Iterator<Item = Piece<'a>> {
        let mut rest = self.0;
        core::iter::from_fn(move || {
            if rest.is_empty() {
                return None;
            }
            let piece;
            (piece, rest) = match rest.strip_prefix('{').and_then(|after| after.split_once('}')) {
                Some((name, after)) => (Piece::Field(name), after),
                None => {
                    let end = rest.find('{').filter(|end| *end > 0).unwrap_or(rest.len());
                    let (literal, after) = rest.split_at(end);
                    (Piece::Literal(literal), after)
                }
            };
            Some(piece)
        })
    }

    /// Writes the address for one value to `out`; `field` writes the text of one of its fields.
    ///
    /// A field's text may not hold `/`, `+`, `#` or NUL, nor be empty: a value must not choose where it goes beyond the
    /// place that it was given.
    pub(crate) fn fill<E>(
        self,
        out: &mut Payload<'_>,
        mut field: impl FnMut(&str, &mut Payload<'_>) -> Result<(), E>,
    ) -> Result<(), FillError<'a, E>> {
        for piece in self.pieces() {
            match piece {
                Piece::Literal(text) => out.push(text.as_bytes()).map_err(|PayloadFull| FillError::Full)?,
                Piece::Field(name) => {
                    let from = out.written().len();
                    field(name, out).map_err(|error| FillError::Field { name, error })?;
                    let text = out.written().get(from..).unwrap_or_default();
                    if text.is_empty() || text.iter().any(|byte| matches!(byte, b'/' | b'+' | b'#' | 0)) {
                        return Err(FillError::Unfit(name));
                    }
                }
            }
        }
        Ok(())
    }
}

/// Why an address could not be filled in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FillError<'a, E> {
    /// It is longer than its place.
    Full,
    /// The field could not be had.
    Field { name: &'a str, error: E },
    /// The field's text would change the address's levels.
    Unfit(&'a str),
}

impl<E: fmt::Display> fmt::Display for FillError<'_, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FillError::Full => f.write_str("the address is longer than 65535 bytes"),
            FillError::Field { name, error } => write!(f, "the address needs the field `{name}`: {error}"),
            FillError::Unfit(name) => {
                write!(f, "the field `{name}` is empty or holds `/`, `+`, `#` or NUL, so it cannot stand in an address")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_scheme_and_bytes_that_are_left_alone() {
        let parsed = Address::parse("mqtt+Plant_1://Sensors/#?x=%20").unwrap();
        assert_eq!((parsed.scheme, parsed.resource), ("mqtt+Plant_1", "Sensors/#?x=%20"));
        assert_eq!(Address::parse("sensors/temp"), Err(AddressError::NoScheme));
        for bad in ["://x", "MQTT://x", "mq tt://x", "mqtt+://x", "mqtt+a b://x"] {
            assert_eq!(Address::parse(bad), Err(AddressError::BadScheme), "{bad}");
        }
        assert_eq!(Address::parse("mqtt://"), Err(AddressError::Empty));
    }

    #[test]
    fn wildcards_are_whole_levels_and_rest_is_last() {
        for good in ["a/b", "a/{device}/b", "+/a", "a/#", "#", "a//b", "{a}/{b}"] {
            assert_eq!(check_inbound(good), Ok(()), "{good}");
        }
        for (bad, error) in [
            ("a/x{device}/b", AddressError::PartOfLevel),
            ("a/b+", AddressError::PartOfLevel),
            ("a/b#", AddressError::PartOfLevel),
            ("a/#/b", AddressError::RestNotLast),
            ("a/{}/b", AddressError::BadName),
            ("a/{device/b", AddressError::Unclosed),
            ("a/device}/b", AddressError::Unclosed),
            ("{a}/{a}", AddressError::NameTwice),
        ] {
            assert_eq!(check_inbound(bad), Err(error), "{bad}");
        }
    }

    #[test]
    fn fields_are_filled_into_outbound_addresses() {
        let mut buffer = [0; 32];
        let mut out = Payload::new(&mut buffer);
        let template = Template::parse("copy/dev-{device}/{unit}").unwrap();
        let filled = template.fill(&mut out, |name, out| out.push(if name == "device" { b"7" } else { b"C" }));
        assert_eq!(filled, Ok(()));
        assert_eq!(out.written(), b"copy/dev-7/C");
        for (bad, error) in [
            ("a/+", AddressError::WildcardOutbound),
            ("a/#", AddressError::WildcardOutbound),
            ("{a}/#", AddressError::WildcardOutbound),
            ("a/{b", AddressError::Unclosed),
            ("a/b}", AddressError::Unclosed),
            ("a}/{b}", AddressError::Unclosed),
            ("a/{}", AddressError::BadName),
        ] {
            assert_eq!(Template::parse(bad).map(|_| ()), Err(error), "{bad}");
        }
    }

    #[test]
    fn a_field_cannot_lead_elsewhere() {
        let template = Template::parse("copy/{device}").unwrap();
        for text in ["a/b", "+", "#", "", "a\0"] {
            let mut buffer = [0; 32];
            let filled = template.fill(&mut Payload::new(&mut buffer), |_, out| out.push(text.as_bytes()));
            assert_eq!(filled, Err(FillError::Unfit("device")), "{text:?}");
        }
    }
}
