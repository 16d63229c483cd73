//! Where something stands in the config, and what is wrong there.

use std::{fmt, path::PathBuf};

/// A line and a column of the file, both counted from 1, in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

impl Place {
    /// The beginning of the file.
    pub(crate) const START: Place = Place { line: 1, column: 1 };

    /// Where the byte `at` of `text` stands.
    pub(crate) fn of(text: &str, at: usize) -> Self {
        let before = text.get(..at).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |end| end + 1);
        Place { line: before.matches('\n').count() + 1, column: before[line_start..].chars().count() + 1 }
    }
}

/// One thing that is wrong with a config.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fault {
    /// Where.
    pub place: Place,
    /// The section and key, as `[[link]] qos`; empty where the fault is in neither.
    pub key: String,
    /// What is wrong, and what to do.
    pub message: String,
}

/// Everything that is wrong with a config.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Faults {
    /// The file.
    pub file: PathBuf,
    /// What is wrong, from its beginning to its end.
    pub faults: Vec<Fault>,
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = self.file.display();
        for Fault { place: Place { line, column }, key, message } in &self.faults {
            let colon = if key.is_empty() { "" } else { ": " };
            writeln!(f, "{file}:{line}:{column}: {key}{colon}{message}")?;
        }
        match self.faults.len() {
            1 => write!(f, "1 thing is wrong with {file}"),
            several => write!(f, "{several} things are wrong with {file}"),
        }
    }
}

impl std::error::Error for Faults {}

/// The name that is most like `wanted`, if one is near enough to be meant.
pub(crate) fn nearest<'a>(wanted: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let far = |name: &str| strsim::damerau_levenshtein(wanted, name);
    (names.into_iter().map(|name| (far(name), name)).min())
        .filter(|(far, name)| *far <= (wanted.chars().count().max(name.chars().count())).div_ceil(3))
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_counted_in_characters_from_1() {
        let text = "a = 1\nö = 2\n";
        assert_eq!(Place::of(text, 0), Place::START);
        assert_eq!(Place::of(text, text.find("= 2").unwrap()), Place { line: 2, column: 3 });
        assert_eq!(Place::of(text, text.len()), Place { line: 3, column: 1 });
    }

    #[test]
    fn the_nearest_name_is_near() {
        assert_eq!(nearest("recrod", ["from", "record", "retain"]), Some("record"));
        assert_eq!(nearest("capactiy", ["kind", "capacity"]), Some("capacity"));
        assert_eq!(nearest("entirely", ["kind", "capacity"]), None);
    }
}
