//! Nothing that a stranger sends ends the process, holds its memory, or is taken for what it is not.

use crate::{any, times};
use anabranch_value::{Path, Place, ValueError, cbor, json};
use proptest::prelude::*;

/// What was read is a value like any other: it can be written and read again.
fn is_sound(cbor: &[u8], json: &[u8]) -> Result<(), TestCaseError> {
    if let Ok(value) = cbor::from_slice(cbor) {
        prop_assert_eq!(cbor::from_slice(&cbor::to_vec(&value)?)?, value);
    }
    if let Ok(value) = json::from_slice(json) {
        prop_assert_eq!(json::from_slice(&json::to_vec(&value)?)?, value);
    }
    Ok(())
}

proptest! {
    #![proptest_config(times(4))]

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        is_sound(&bytes, &bytes)?;
    }

    #[test]
    fn bytes_that_resemble_cbor_are_read_or_refused(
        bytes in prop::collection::vec(prop::sample::select(b"\x00\x1b\x20\x3b\x40\x41\x5f\x60\x61\x7f\x80\x81\x82\x9f\xa0\xa1\xbf\xc0\xc1\xc2\xd8\x1b\xf4\xf6\xf9\xfb\xffa".to_vec()), 0..60),
    ) {
        is_sound(&bytes, &[])?;
    }

    #[test]
    fn text_that_resembles_json_is_read_or_refused(json in r#"[\[\]{}",:0-9eE+.\-\\ u$a]{0,60}"#) {
        is_sound(&[], json.as_bytes())?;
    }

    #[test]
    fn what_was_damaged_is_read_or_refused(
        value in any::value(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let (mut cbor, mut json) = (cbor::to_vec(&value)?, json::to_vec(&value)?);
        for (at, byte) in damage {
            *at.get_mut(&mut cbor) = byte;
            *at.get_mut(&mut json) = byte;
        }
        is_sound(&cbor, &json)?;
    }

    #[test]
    fn what_was_cut_off_is_refused(value in any::value(), at in any::<prop::sample::Index>()) {
        let cbor = cbor::to_vec(&value)?;
        let end = at.index(cbor.len());
        let refused = cbor::from_slice(&cbor[..end]).unwrap_err();
        prop_assert_eq!(refused.place(), &Place::Byte(end));

        // A part of a number is a number.
        if value.as_list().is_some() || value.as_map().is_some() {
            let json = json::to_vec(&value)?;
            prop_assert!(json::from_slice(&json[..at.index(json.len())]).is_err());
        }
    }

    #[test]
    fn any_text_is_a_path_or_none(text in r#"[a-c.\[\]"\\0-9 ]{0,20}"#) {
        if let Ok(path) = text.parse::<Path>() {
            prop_assert_eq!(path.to_string().parse::<Path>(), Ok(path));
        }
    }

    #[test]
    fn any_text_is_a_time_or_none(text in "[P0-9TYMWDHSZ:.,+-]{0,30}", any in any::<String>()) {
        for text in [text, any] {
            for tag in ["$date", "$time", "$localtime", "$datetime", "$localdatetime", "$duration", "$float", "$bytes"] {
                let json = json::to_string(&[(tag, text.as_str())].into_iter().collect::<anabranch_value::Map>().into())?;
                // Written as a map of one's own; without the escape it is a time, or refused.
                is_sound(&[], json.replacen("$$", "$", 1).as_bytes())?;
            }
        }
    }
}

/// A million levels, of each thing that can nest.
#[test]
fn depth_bombs_do_not_reach_the_bottom_of_the_stack() {
    const LEVELS: usize = 1_000_000;
    let too_deep = |refused: ValueError| assert!(matches!(refused, ValueError::TooDeep { .. }), "{refused}");
    for bomb in ["[", r#"{"a":"#, r#"[{"a":"#, r#"{"$date":"#] {
        too_deep(json::from_str(&bomb.repeat(LEVELS)).unwrap_err());
    }
    for bomb in [b"\x81".as_slice(), b"\x9f", b"\xa1\x61a", b"\xbf\x61a", b"\xd9\xd9\xf7"] {
        too_deep(cbor::from_slice(&bomb.repeat(LEVELS)).unwrap_err());
    }
    assert!(minicbor_serde::from_slice::<anabranch_value::Value>(&[0x81; LEVELS]).is_err());
}

#[test]
fn a_length_that_is_a_lie_is_refused_at_the_end_of_the_input() {
    for lie in [0x5b_u8, 0x7b, 0x9b, 0xbb] {
        for length in [u64::MAX, u64::MAX >> 1, 1 << 40, 1 << 30] {
            let mut cbor = vec![lie];
            cbor.extend_from_slice(&length.to_be_bytes());
            cbor.extend_from_slice(b"\x61a\x61b");
            let refused = cbor::from_slice(&cbor).unwrap_err();
            assert!(matches!(refused, ValueError::Syntax { .. }), "{refused}");
        }
    }
}

/// With a hash, or with a search through all keys, a million keys of a stranger would take minutes.
#[test]
fn many_keys_are_read_in_little_time() {
    let entries: Vec<String> = (0..200_000).map(|key| format!("\"{key}\":{key}")).collect();
    let value = json::from_str(&format!("{{{}}}", entries.join(","))).unwrap();
    assert_eq!(value.get("199999").and_then(anabranch_value::Value::as_i64), Some(199_999));
}
