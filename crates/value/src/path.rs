//! The way to a place inside a value: `readings[2].celsius`.

use crate::{Text, Value, ValueError};
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use core::fmt::{self, Write};
use core::ops::Deref;
use core::str::FromStr;

/// The way to a place inside a value, step by step. Its text is
///
/// ```text
/// path  = ""                                   the value itself
///       | first *( "." key | index )
/// first = key | index
/// key   = 1*( any character but . [ ] " )  |  '"' *( any character, with \" for " and \\ for \ ) '"'
/// index = "[" digits "]"                       counted from 0
/// ```
///
/// ```
/// use anabranch_value::{Path, Step};
///
/// let path: Path = r#"readings[2]."°C, raw""#.parse()?;
/// assert_eq!(path[..], [Step::from("readings"), Step::from(2), Step::from("°C, raw")]);
/// assert_eq!("a..b".parse::<Path>().unwrap_err().to_string(),
///     r#""a..b" is not a path: a key is missing at character 3; write it like a.b[2]."any key""#);
/// # Ok::<(), anabranch_value::ValueError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Path(Vec<Step>);

/// One step of a [`Path`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// To the value of a key of a map.
    Key(Text),
    /// To an element of a list, counted from 0.
    Index(usize),
}

impl Path {
    /// The way to the value itself.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Goes a step further.
    pub fn push(&mut self, step: impl Into<Step>) {
        self.0.push(step.into());
    }

    pub(crate) fn prepend(&mut self, step: Step) {
        self.0.insert(0, step);
    }
}

impl Value {
    /// What is at a place, if there is such a place.
    pub fn get_path(&self, path: &Path) -> Option<&Value> {
        path.iter().try_fold(self, |here, step| match (here, step) {
            (Value::Map(map), Step::Key(key)) => map.get(key),
            (Value::List(list), Step::Index(index)) => list.get(*index),
            _ => None,
        })
    }

    /// Puts a value at a place, and gives back what was there.
    ///
    /// A key that a map lacks is made, with the maps (and lists, where the path says `[0]`) that lead on from it; an index
    /// may be one past the end of its list. A step through anything else is an error, and changes nothing.
    ///
    /// ```
    /// # use anabranch_value::value;
    /// let mut fan = value!({ "speed": 2 });
    /// fan.set_path(&"limits.rpm[0]".parse()?, 900)?;
    /// assert_eq!(fan, value!({ "speed": 2, "limits": { "rpm": [900] } }));
    /// assert_eq!(fan.set_path(&"speed.max".parse()?, 3).unwrap_err().to_string(),
    ///     "there is no speed.max: only a map has keys; set a place that is in a map");
    /// # Ok::<(), anabranch_value::ValueError>(())
    /// ```
    pub fn set_path(&mut self, path: &Path, value: impl Into<Value>) -> Result<Option<Value>, ValueError> {
        let value = value.into();
        let mut here = self;
        for (taken, step) in path.iter().enumerate() {
            let no_such_place = |reason, taken| ValueError::NoSuchPlace { path: Path(path[..=taken].to_vec()), reason };
            // What a new place holds: the value, wrapped in what the rest of the path goes through.
            let new = |value| {
                path.iter().enumerate().skip(taken + 1).rev().try_fold(value, |value, (step_at, step)| match step {
                    Step::Key(key) => Ok(Value::Map([(key.clone(), value)].into())),
                    Step::Index(0) => Ok(Value::from(vec![value])),
                    Step::Index(_) => Err(no_such_place("the list would be empty; begin it with [0]", step_at)),
                })
            };
            here = match (here, step) {
                (Value::Map(map), Step::Key(key)) => {
                    if !map.contains_key(key) {
                        map.insert(key.clone(), new(value)?);
                        return Ok(None);
                    }
                    map.get_mut(key).expect("it has the key")
                }
                (Value::List(list), Step::Index(index)) => {
                    if *index == list.len() {
                        let value = new(value)?;
                        Arc::make_mut(list).push(value);
                        return Ok(None);
                    }
                    let end = "the list ends before; append at its end first";
                    Arc::make_mut(list).get_mut(*index).ok_or_else(|| no_such_place(end, taken))?
                }
                (_, Step::Key(_)) => {
                    return Err(no_such_place("only a map has keys; set a place that is in a map", taken));
                }
                (_, Step::Index(_)) => {
                    return Err(no_such_place("only a list is counted; set a place that is in a list", taken));
                }
            };
        }
        Ok(Some(core::mem::replace(here, value)))
    }
}

impl Deref for Path {
    type Target = [Step];

    fn deref(&self) -> &[Step] {
        &self.0
    }
}

impl<S: Into<Step>> FromIterator<S> for Path {
    fn from_iter<I: IntoIterator<Item = S>>(steps: I) -> Self {
        Self(steps.into_iter().map(Into::into).collect())
    }
}

impl From<usize> for Step {
    fn from(index: usize) -> Self {
        Self::Index(index)
    }
}

impl From<&str> for Step {
    fn from(key: &str) -> Self {
        Self::Key(key.into())
    }
}

impl From<Text> for Step {
    fn from(key: Text) -> Self {
        Self::Key(key)
    }
}

fn is_special(character: char) -> bool {
    matches!(character, '.' | '[' | ']' | '"')
}

impl FromStr for Path {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let mut path = Self::new();
        let mut rest = text;
        let error = |reason, rest: &str| {
            let at = text[..text.len() - rest.len()].chars().count() + 1;
            ValueError::PathSyntax { text: text.into(), at, reason }
        };
        while !rest.is_empty() {
            if let Some(index) = rest.strip_prefix('[') {
                let (digits, after) = index.split_once(']').ok_or_else(|| error("a ] is missing", index))?;
                // `parse` would take a plus sign, too.
                let counted = digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok()).flatten();
                path.push(counted.map(Step::Index).ok_or_else(|| error("an index is missing", index))?);
                rest = after;
                continue;
            }
            if !path.is_empty() {
                rest = rest.strip_prefix('.').ok_or_else(|| error("a . or [ is missing", rest))?;
            }
            if let Some(quoted) = rest.strip_prefix('"') {
                let (key, after) = unquote(quoted).ok_or_else(|| error("a closing \" is missing", quoted))?;
                path.push(key);
                rest = after;
            } else {
                let (key, after) = rest.split_at(rest.find(is_special).unwrap_or(rest.len()));
                if key.is_empty() {
                    return Err(error("a key is missing", rest));
                }
                path.push(key);
                rest = after;
            }
        }
        Ok(path)
    }
}

/// The key up to the closing quote, and what comes after it.
fn unquote(quoted: &str) -> Option<(Text, &str)> {
    let mut key = String::new();
    let mut characters = quoted.chars();
    loop {
        match characters.next()? {
            '"' => return Some((key.into(), characters.as_str())),
            '\\' => key.push(characters.next()?),
            character => key.push(character),
        }
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (taken, step) in self.iter().enumerate() {
            match step {
                Step::Index(index) => write!(f, "[{index}]")?,
                Step::Key(key) => {
                    if taken > 0 {
                        f.write_char('.')?;
                    }
                    if !key.is_empty() && !key.contains(is_special) {
                        f.write_str(key)?;
                        continue;
                    }
                    f.write_char('"')?;
                    for character in key.chars() {
                        if matches!(character, '"' | '\\') {
                            f.write_char('\\')?;
                        }
                        f.write_char(character)?;
                    }
                    f.write_char('"')?;
                }
            }
        }
        Ok(())
    }
}
