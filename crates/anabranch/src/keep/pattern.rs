//! Keys with fields of the value in them: `{site.name}/{device}`.

use alloc::{format, string::String, vec::Vec};
use anabranch_value::{Path, Text, Value};
use core::fmt::{self, Write};

/// A key, or how it is made of a value.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Pattern(Vec<Part>);

#[derive(Debug, Clone, PartialEq)]
enum Part {
    Text(Text),
    Field(Path),
}

impl Pattern {
    /// The same key for every value.
    pub(super) fn fixed(key: &str) -> Self {
        Pattern(alloc::vec![Part::Text(key.into())])
    }

    /// What is wrong with it is said for people.
    pub(super) fn parse(pattern: &str) -> Result<Self, String> {
        let wrong = |why: fmt::Arguments<'_>| format!("the key {pattern:?} that it is kept under {why}");
        let mut parts = Vec::new();
        let mut rest = pattern;
        while !rest.is_empty() {
            let (text, field) = rest.split_once('{').map_or((rest, None), |(text, field)| (text, Some(field)));
            if text.contains('}') {
                return Err(wrong(format_args!("has a `}}` with no `{{` before it: write fields as `{{device}}`")));
            }
            if !text.is_empty() {
                parts.push(Part::Text(text.into()));
            }
            let Some(field) = field else { break };
            let Some((name, after)) = field.split_once('}') else {
                return Err(wrong(format_args!("has a `{{` that is not closed: write fields as `{{device}}`")));
            };
            match name.parse::<Path>() {
                Ok(path) if !path.is_empty() => parts.push(Part::Field(path)),
                Ok(_) => return Err(wrong(format_args!("has a field without a name: write it as `{{device}}`"))),
                Err(why) => return Err(wrong(format_args!("has a field that is none: {why}"))),
            }
            rest = after;
        }
        if parts.is_empty() {
            return Err(wrong(format_args!("is empty: leave it out to keep under the record's name")));
        }
        Ok(Pattern(parts))
    }

    /// The key of a value.
    pub(super) fn of(&self, value: &Value) -> Result<Text, String> {
        if let [Part::Text(key)] = &*self.0 {
            return Ok(key.clone());
        }
        let mut key = String::new();
        for part in &self.0 {
            let written = match part {
                Part::Text(text) => key.write_str(text),
                Part::Field(path) => match value.get_path(path) {
                    Some(Value::String(text)) => key.write_str(text),
                    Some(Value::Int(number)) => write!(key, "{number}"),
                    Some(Value::Bool(truth)) => write!(key, "{truth}"),
                    Some(_) => {
                        return Err(format!(
                            "the field {path} is no text, whole number or truth value: a key needs one"
                        ));
                    }
                    None => return Err(format!("the value has no field {path}, which its key needs")),
                },
            };
            debug_assert!(written.is_ok(), "a string takes what is written to it");
        }
        Ok(key.into())
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|part| match part {
            Part::Text(text) => f.write_str(text),
            Part::Field(path) => write!(f, "{{{path}}}"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Pattern;
    use alloc::string::{String, ToString};
    use anabranch_value::{Value, value};

    fn key(pattern: &str, value: &Value) -> Result<String, String> {
        Pattern::parse(pattern)?.of(value).map(String::from)
    }

    #[test]
    fn fields_are_filled_in() {
        let value = value!({ "device": "boiler", "unit": 7, "on": true, "site": { "name": "north" }, "celsius": 21.5 });
        assert_eq!(key("{device}", &value).as_deref(), Ok("boiler"));
        assert_eq!(key("{site.name}/{unit}-{on}!", &value).as_deref(), Ok("north/7-true!"));
        assert_eq!(key("fixed", &value).as_deref(), Ok("fixed"));
        assert!(key("{room}", &value).unwrap_err().contains("no field room"));
        assert!(key("{celsius}", &value).unwrap_err().contains("no text"));
        assert!(key("{device}", &value!(1)).unwrap_err().contains("no field device"));
    }

    #[test]
    fn what_is_no_pattern_says_what_to_write() {
        for (pattern, says) in [
            ("", "is empty"),
            ("{}", "without a name"),
            ("{a", "not closed"),
            ("a}b", "no `{` before"),
            ("{a..b}", "is none"),
        ] {
            let problem = Pattern::parse(pattern).unwrap_err();
            assert!(problem.contains(says), "{pattern}: {problem}");
        }
        assert_eq!(Pattern::parse("{a.b}/x").map(|pattern| pattern.to_string()).as_deref(), Ok("{a.b}/x"));
    }
}
