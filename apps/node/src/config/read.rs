//! From text to entries: each section's keys, checked against the table of keys, with the place of each.

use super::{
    keys::{Absent, Key, SECTIONS, Section, Takes},
    place::{Fault, Place, nearest},
};
use std::{collections::BTreeMap, ops::Range, time::Duration};
use toml::{
    Spanned,
    de::{DeString, DeTable, DeValue},
};

/// A section, or a table in one, as it stands in the file.
#[derive(Debug)]
pub(crate) struct Entry {
    /// Its beginning.
    place: Place,
    /// What messages call it: `[[link]]`, `[[record]] buffer`.
    label: String,
    /// What its known keys are set to.
    keys: BTreeMap<&'static str, (Place, Set)>,
}

/// What a key is set to.
#[derive(Debug)]
enum Set {
    Text(String),
    Number(i64),
    Flag(bool),
    Time(Duration),
    Table(Entry),
    /// Something wrong, which was said: no more shall be said about it.
    Wrong,
}

/// A value, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct At<T> {
    pub(crate) place: Place,
    pub(crate) value: T,
}

impl Entry {
    pub(super) fn has(&self, key: &str) -> bool {
        self.keys.contains_key(key)
    }

    /// Where a key stands; where the entry begins, when it does not.
    pub(super) fn place_of(&self, key: &str) -> Place {
        self.keys.get(key).map_or(self.place, |(place, _)| *place)
    }

    pub(super) fn text(&self, key: &str) -> Option<At<String>> {
        let (place, Set::Text(text)) = self.keys.get(key)? else { return None };
        Some(At { place: *place, value: text.clone() })
    }

    pub(super) fn number(&self, key: &str) -> Option<i64> {
        let (_, Set::Number(number)) = self.keys.get(key)? else { return None };
        Some(*number)
    }

    pub(super) fn flag(&self, key: &str) -> Option<bool> {
        let (_, Set::Flag(flag)) = self.keys.get(key)? else { return None };
        Some(*flag)
    }

    pub(super) fn time(&self, key: &str) -> Option<Duration> {
        let (_, Set::Time(time)) = self.keys.get(key)? else { return None };
        Some(*time)
    }

    pub(crate) fn table(&self, key: &str) -> Option<&Entry> {
        let (_, Set::Table(table)) = self.keys.get(key)? else { return None };
        Some(table)
    }

    /// A fault of one of its keys.
    pub(crate) fn fault(&self, key: &str, message: impl Into<String>) -> Fault {
        Fault { place: self.place_of(key), key: format!("{} {key}", self.label), message: message.into() }
    }
}

/// What a file holds.
#[derive(Debug, Default)]
pub(super) struct Document {
    /// The entries of each section that is active.
    pub(super) entries: BTreeMap<&'static str, Vec<Entry>>,
    /// What is there and not active yet, by its heading or key.
    pub(super) later: Vec<String>,
    /// What is wrong.
    pub(super) faults: Vec<Fault>,
    /// The sections that are there in another form or under another name, so that not all of their entries were read.
    pub(super) misplaced: Vec<&'static str>,
    /// Whether some of it is not TOML: then the rest may be something else than it seems.
    pub(super) misread: bool,
}

/// Reads `text`.
pub(super) fn read(text: &str) -> Document {
    let (root, errors) = DeTable::parse_recoverable(text);
    let mut reader = Reader { text, document: Document::default() };
    for (name, value) in root.get_ref() {
        reader.section(name, value);
    }
    let not_toml = errors.iter().map(|error| Fault {
        place: error.span().map_or(Place::START, |span| reader.place(&span)),
        key: String::new(),
        message: format!("this is not TOML: {}", error.message().trim_end()),
    });
    let not_toml: Vec<Fault> = not_toml.collect();
    let mut document = reader.document;
    if let Some(first) = not_toml.iter().map(|fault| fault.place).min() {
        // What comes after may be something else than it seems.
        document.faults.retain(|fault| fault.place < first);
        document.faults.extend(not_toml);
        document.misread = true;
    }
    document
}

struct Reader<'t> {
    text: &'t str,
    document: Document,
}

impl Reader<'_> {
    fn place(&self, span: &Range<usize>) -> Place {
        Place::of(self.text, span.start)
    }

    fn wrong(&mut self, span: &Range<usize>, key: impl Into<String>, message: impl Into<String>) {
        let fault = Fault { place: self.place(span), key: key.into(), message: message.into() };
        self.document.faults.push(fault);
    }

    fn section(&mut self, name: &Spanned<DeString<'_>>, value: &Spanned<DeValue<'_>>) {
        let Some(section) = super::keys::section(name.get_ref()) else {
            return self.unknown_section(name, value);
        };
        let heading = section.heading();
        let (found, written) = match value.get_ref() {
            DeValue::Array(several) if section.several => (several.iter().collect(), String::new()),
            DeValue::Table(_) if !section.several => (vec![value], String::new()),
            DeValue::Table(_) => (Vec::new(), format!("[{}]", section.name)),
            DeValue::Array(_) => (Vec::new(), format!("[[{}]]", section.name)),
            _ => (Vec::new(), section.name.to_owned()),
        };
        if !written.is_empty() {
            self.document.misplaced.push(section.name);
            return self.wrong(
                &name.span(),
                written,
                format!("write {heading} on a line of its own, and its keys below"),
            );
        }
        let Some(keys) = section.keys else {
            let times = if found.len() > 1 { format!(" ({} times)", found.len()) } else { String::new() };
            return self.document.later.push(format!("{heading}{times}"));
        };
        for value in found {
            match value.get_ref() {
                DeValue::Table(table) => {
                    let entry = self.entry(&heading, self.place(&value.span()), table, keys);
                    self.document.entries.entry(section.name).or_default().push(entry);
                }
                _ => self.wrong(
                    &value.span(),
                    &*heading,
                    format!("write {heading} on a line of its own, and its keys below"),
                ),
            }
        }
    }

    fn unknown_section(&mut self, name: &Spanned<DeString<'_>>, value: &Spanned<DeValue<'_>>) {
        let is_section = matches!(value.get_ref(), DeValue::Table(_) | DeValue::Array(_));
        let owner = SECTIONS.iter().find(|section| !is_section && has_key(section, name.get_ref()));
        let all = || SECTIONS.iter().map(Section::heading).collect::<Vec<_>>().join(", ");
        let near = nearest(name.get_ref(), SECTIONS.iter().map(|section| section.name)).and_then(super::keys::section);
        // What links name may stand in it.
        self.document.misplaced.extend(near.filter(|_| is_section).map(|near| near.name));
        let message = match (owner, near) {
            (Some(owner), _) => format!("this key belongs to {}: write it below that", owner.heading()),
            (None, Some(near)) => format!("there is no such section; did you mean {}?", near.heading()),
            (None, None) => format!("there is no such section; there are {}", all()),
        };
        self.wrong(&name.span(), name.get_ref().as_ref(), message);
    }

    fn entry(&mut self, label: &str, place: Place, table: &DeTable<'_>, keys: &'static [Key]) -> Entry {
        let mut entry = Entry { place, label: label.into(), keys: BTreeMap::new() };
        for (name, value) in table {
            let said = format!("{label} {}", name.get_ref());
            match keys.iter().find(|key| key.name == name.get_ref()) {
                Some(key) => {
                    let set = self.set(&said, key, value);
                    if !key.active {
                        self.document.later.push(said);
                    }
                    entry.keys.insert(key.name, (self.place(&name.span()), set));
                }
                None => {
                    let near = nearest(name.get_ref(), keys.iter().map(|key| key.name));
                    self.wrong(&name.span(), said, unknown_key(label, name.get_ref(), near, keys));
                    // It is there, under another name; that is enough to be said.
                    let meant = keys.iter().find(|key| near == Some(key.name) && !table.contains_key(key.name));
                    if let Some(meant) = meant {
                        entry.keys.insert(meant.name, (self.place(&name.span()), Set::Wrong));
                    }
                }
            }
        }
        for key in keys.iter().filter(|key| matches!(key.absent, Absent::Needed)) {
            if !entry.has(key.name) {
                let message = format!("this key is missing: set it to {}", key.takes.in_words());
                self.document.faults.push(entry.fault(key.name, message));
                entry.keys.insert(key.name, (place, Set::Wrong));
            }
        }
        entry
    }

    fn set(&mut self, said: &str, key: &Key, value: &Spanned<DeValue<'_>>) -> Set {
        let found = value.get_ref();
        let set = match (&key.takes, found) {
            (Takes::AnyText, DeValue::String(text)) => Some(Set::Text(text.to_string())),
            (Takes::Text | Takes::Path, DeValue::String(text)) if !text.is_empty() => Some(Set::Text(text.to_string())),
            (Takes::Word(words) | Takes::WordOrTable(words, _), DeValue::String(text)) => {
                if !words.contains(&text.as_ref()) {
                    let near = nearest(text, words.iter().copied());
                    let meant = near.map_or_else(String::new, |near| format!("; did you mean \"{near}\"?"));
                    self.wrong(&value.span(), said, format!("\"{text}\" is not {}{meant}", key.takes.in_words()));
                    return Set::Wrong;
                }
                Some(Set::Text(text.to_string()))
            }
            (Takes::Number(least, most), DeValue::Integer(number)) => {
                let number = i64::from_str_radix(number.as_str(), number.radix()).ok();
                number.filter(|number| (least..=most).contains(&number)).map(Set::Number)
            }
            (Takes::Flag, DeValue::Boolean(flag)) => Some(Set::Flag(*flag)),
            (Takes::Time, DeValue::String(text)) => time(text).map(Set::Time),
            (Takes::Table(keys) | Takes::WordOrTable(_, keys), DeValue::Table(table)) => {
                Some(Set::Table(self.entry(said, self.place(&value.span()), table, keys)))
            }
            _ => None,
        };
        set.unwrap_or_else(|| {
            let message = format!("{} is not {}", found_in_words(found), key.takes.in_words());
            self.wrong(&value.span(), said, message);
            Set::Wrong
        })
    }
}

fn has_key(section: &Section, name: &str) -> bool {
    section.keys.unwrap_or_default().iter().any(|key| key.name == name)
}

fn unknown_key(label: &str, name: &str, near: Option<&str>, keys: &[Key]) -> String {
    if let Some(near) = near {
        return format!("there is no such key; did you mean `{near}`?");
    }
    match SECTIONS.iter().find(|section| has_key(section, name)) {
        Some(owner) => format!("this key belongs to {}, not to {label}", owner.heading()),
        None => format!(
            "there is no such key; there are {}",
            keys.iter().map(|key| key.name).collect::<Vec<_>>().join(", ")
        ),
    }
}

fn found_in_words(found: &DeValue<'_>) -> String {
    match found {
        DeValue::String(text) => format!("\"{text}\""),
        DeValue::Integer(number) => number.to_string(),
        DeValue::Float(number) => number.to_string(),
        DeValue::Boolean(flag) => flag.to_string(),
        DeValue::Datetime(time) => time.to_string(),
        DeValue::Array(_) => "a list".into(),
        DeValue::Table(_) => "a table".into(),
    }
}

/// The units of time, the longer names first.
const UNITS: [(&str, u64); 6] =
    [("ms", 1), ("min", 60_000), ("s", 1000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

fn time(text: &str) -> Option<Duration> {
    let (number, millis) = UNITS.into_iter().find_map(|(unit, millis)| Some((text.strip_suffix(unit)?, millis)))?;
    let number: u64 = number.trim_end().parse().ok()?;
    number.checked_mul(millis).map(Duration::from_millis)
}
