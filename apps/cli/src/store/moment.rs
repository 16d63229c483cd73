//! Which version is meant: by a time, by how long ago it was, or by its id.

use anabranch::store::{Moment, Timestamp, VersionId};

use super::place::now;
use crate::look::UNITS;

const HOW: &str = "write a time as 2026-01-31T08:05:09Z, or how long ago as '10 min ago' (s, min, h, d)";

/// A time: RFC 3339, or `10 min ago`.
pub fn time(text: &str) -> Result<Timestamp, String> {
    time_at(text, now())
}

/// A version by its id, or the one of a time.
pub fn moment(text: &str) -> Result<Moment, String> {
    if is_like_an_id(text) { id(text).map(Moment::Version) } else { time(text).map(Moment::At) }
}

/// The id of a version.
pub fn id(text: &str) -> Result<VersionId, String> {
    text.parse::<VersionId>().map_err(|why| why.to_string())
}

/// Text that was meant to be an id, whether it is one or not: no time has only such characters.
fn is_like_an_id(text: &str) -> bool {
    text.len() > 8 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn time_at(text: &str, now: Timestamp) -> Result<Timestamp, String> {
    let text = text.trim();
    match text.strip_suffix("ago") {
        Some(length) => before(length.trim(), now).ok_or_else(|| format!("that is no length of time; {HOW}")),
        None if text == "now" => Ok(now),
        None => text.parse().map_err(|_| format!("that is no moment between 1678 and 2262; {HOW}")),
    }
}

fn before(length: &str, now: Timestamp) -> Option<Timestamp> {
    // The longer names first: `s` ends none of the others, `min` ends with none of them.
    let (number, seconds) = UNITS.iter().find_map(|(unit, each)| Some((length.strip_suffix(unit)?, each)))?;
    let number: u32 = number.trim().parse().ok()?;
    let nanos = i64::from(number).checked_mul(*seconds)?.checked_mul(1_000_000_000)?;
    now.nanos().checked_sub(nanos).map(Timestamp::from_nanos)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_they_are_shown() {
        let now = Timestamp::from_nanos(1_774_791_420_000_000_000);
        let seconds_before = |seconds: i64| Ok(Timestamp::from_nanos(now.nanos() - seconds * 1_000_000_000));
        for (text, seconds) in
            [("now", 0), ("5 s ago", 5), ("5s ago", 5), ("10 min ago", 600), ("3h ago", 10_800), ("2 d ago", 172_800)]
        {
            assert_eq!(time_at(text, now), seconds_before(seconds), "{text}");
        }
        assert_eq!(time_at("2026-03-29T14:00:00+02:00", now), Ok("2026-03-29T12:00:00Z".parse().unwrap()));
        for wrong in
            ["", "ago", "yesterday", "10 ago", "-1 s ago", "1.5 h ago", "9999999999999 d ago", "10 parsecs ago"]
        {
            assert!(time_at(wrong, now).is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_id_that_is_wrong_is_not_taken_for_a_time() {
        let id = "18a14f0c5e3a0001e0b7f1a4c2d39586776859403122130f1e2d3c4b5a697887";
        assert_eq!(moment(id), Ok(Moment::Version(id.parse().unwrap())));
        assert!(moment(&id[1..]).unwrap_err().contains("64"), "{:?}", moment(&id[1..]));
        assert!(matches!(moment("2026-03-29T12:00:00Z"), Ok(Moment::At(_))));
    }
}
