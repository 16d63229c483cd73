//! Which versions of a namespace are kept, as JSON and for people.

use anabranch::store::Retention;
use serde::{Deserialize, Serialize};
use std::{fmt, time::Duration};

/// A namespace of which not all versions are kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Retained {
    /// The namespace.
    pub namespace: String,
    /// The newest so many of each key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<u64>,
    /// Those that were the newest within so many seconds before now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub for_seconds: Option<f64>,
}

impl Retained {
    pub(crate) fn of(namespace: impl Into<String>, retention: Retention) -> Self {
        let (last, for_seconds) = match retention {
            Retention::All => (None, None),
            Retention::Last(versions) => (Some(versions.get()), None),
            Retention::For(time) => (None, Some(time.as_secs_f64())),
        };
        Retained { namespace: namespace.into(), last, for_seconds }
    }
}

/// For people: "the last 3 versions of each key".
impl fmt::Display for Retained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.last, self.for_seconds) {
            (Some(1), _) => f.write_str("the newest version of each key"),
            (Some(last), _) => write!(f, "the newest {last} versions of each key"),
            (None, Some(seconds)) => {
                let time = Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX);
                write!(f, "what was there within the last {}", Length(time))
            }
            (None, None) => f.write_str("all versions"),
        }
    }
}

/// A length of time, by the largest unit that it is a whole number of.
struct Length(Duration);

impl fmt::Display for Length {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.0.as_millis();
        let units = [(86_400_000, "d"), (3_600_000, "h"), (60_000, "min"), (1000, "s"), (1, "ms")];
        let (of, unit) =
            units.into_iter().find(|(of, _)| millis > 0 && millis.is_multiple_of(*of)).unwrap_or((1, "ms"));
        write!(f, "{} {unit}", millis / of)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::num::NonZeroU64;

    #[test]
    fn what_is_kept_is_said_in_words_and_in_json() {
        let last = |versions| Retention::Last(NonZeroU64::new(versions).unwrap());
        let within = |millis| Retention::For(Duration::from_millis(millis));
        for (retention, words, json) in [
            (Retention::All, "all versions", r#"{"namespace":"a"}"#),
            (last(1), "the newest version of each key", r#"{"namespace":"a","last":1}"#),
            (last(1000), "the newest 1000 versions of each key", r#"{"namespace":"a","last":1000}"#),
            (within(0), "what was there within the last 0 ms", r#"{"namespace":"a","forSeconds":0.0}"#),
            (within(1500), "what was there within the last 1500 ms", r#"{"namespace":"a","forSeconds":1.5}"#),
            (within(5_400_000), "what was there within the last 90 min", r#"{"namespace":"a","forSeconds":5400.0}"#),
            (within(604_800_000), "what was there within the last 7 d", r#"{"namespace":"a","forSeconds":604800.0}"#),
        ] {
            let retained = Retained::of("a", retention);
            assert_eq!(retained.to_string(), words);
            assert_eq!(serde_json::to_string(&retained).unwrap(), json);
            assert_eq!(serde_json::from_str::<Retained>(json).unwrap(), retained);
        }
    }
}
