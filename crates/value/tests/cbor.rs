//! CBOR as it is read and written.

use anabranch_value::{Date, Duration, Value, ZonedDateTime, cbor, value};

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<char> = hex.chars().filter(char::is_ascii_hexdigit).collect();
    digits.chunks(2).map(|pair| u8::from_str_radix(&String::from_iter(pair), 16).unwrap()).collect()
}

fn read(hex: &str) -> Value {
    cbor::from_slice(&bytes(hex)).unwrap()
}

fn refusal(hex: &str) -> String {
    cbor::from_slice(&bytes(hex)).unwrap_err().to_string()
}

/// Written so, and read again.
fn is(value: impl Into<Value>, hex: &str) {
    let value = value.into();
    assert_eq!(cbor::to_vec(&value), Ok(bytes(hex)), "{value:?}");
    assert_eq!(read(hex), value);
}

#[test]
fn values_are_written_as_rfc_8949_has_them() {
    is((), "f6");
    is(true, "f5");
    is(10, "0a");
    is(1_000_000_000_000_i64, "1b 000000e8d4a51000");
    is(i64::MIN, "3b 7fffffffffffffff");
    is(-1, "20");
    is("IETF", "64 49455446");
    is(b"\x01\x02".as_slice(), "42 0102");
    is(value!([1, [2, 3]]), "82 01 82 02 03");
    is(value!({ "b": 1, "a": [] }), "a2 6162 01 6161 80");
}

#[test]
fn a_head_takes_as_few_bytes_as_it_can() {
    for (number, hex, negative) in [
        (23, "17", "37"),
        (24, "18 18", "38 18"),
        (0xff, "18 ff", "38 ff"),
        (0x100, "19 0100", "39 0100"),
        (0xffff, "19 ffff", "39 ffff"),
        (0x1_0000, "1a 00010000", "3a 00010000"),
        (0xffff_ffff, "1a ffffffff", "3a ffffffff"),
        (0x1_0000_0000, "1b 0000000100000000", "3b 0000000100000000"),
        (i64::MAX, "1b 7fffffffffffffff", "3b 7fffffffffffffff"),
    ] {
        is(number, hex);
        is(-1 - number, negative);
    }
    is("x".repeat(256), &format!("79 0100 {}", "78".repeat(256)));
}

#[test]
fn floats_take_four_bytes_where_that_loses_nothing() {
    is(1.5, "fa 3fc00000");
    is(-0.0, "fa 80000000");
    is(f64::INFINITY, "fa 7f800000");
    is(0.1, "fb 3fb999999999999a");
    is(f64::NAN, "fb 7ff8000000000000");
    is(f64::from_bits(0xfff8_0000_0000_0001), "fb fff8000000000001");
}

#[test]
fn floats_of_two_bytes_are_read() {
    // The examples of RFC 8949, appendix A.
    for (hex, number) in [
        ("f9 0000", 0.0),
        ("f9 8000", -0.0),
        ("f9 3c00", 1.0),
        ("f9 3e00", 1.5),
        ("f9 7bff", 65504.0),
        ("f9 0001", 5.960_464_477_539_063e-8),
        ("f9 0400", 6.103_515_625e-5),
        ("f9 c400", -4.0),
        ("f9 7c00", f64::INFINITY),
        ("f9 fc00", f64::NEG_INFINITY),
        ("f9 7e00", f64::NAN),
    ] {
        assert_eq!(read(hex), Value::Float(number), "{hex}");
    }
    assert_eq!(refusal("f9 00"), "this is not CBOR at byte 2: end of input; send well-formed CBOR");
}

#[test]
fn temporal_types_have_tags() {
    is("2026-03-29".parse::<Date>().unwrap(), "d9 03ec 6a 323032362d30332d3239");
    is("2026-03-29T13:37:00Z".parse::<ZonedDateTime>().unwrap(), "c0 74 323032362d30332d32395431333a33373a30305a");
    is("P1D".parse::<Duration>().unwrap(), "d8 1b 82 68 6475726174696f6e 63 503144");
    assert_eq!(read("c1 1a 514b67b0"), "2013-03-21T20:04:00Z".parse::<ZonedDateTime>().unwrap().into());
}

#[test]
fn what_others_write_is_read() {
    assert_eq!(read("9f 01 82 02 03 9f 04 05 ff ff"), value!([1, [2, 3], [4, 5]]));
    assert_eq!(read("bf 61 61 01 61 62 9f 02 03 ff ff"), value!({ "a": 1, "b": [2, 3] }));
    assert_eq!(read("7f 65 7374726561 64 6d696e67 ff"), value!("streaming"));
    assert_eq!(read("5f 42 0102 43 030405 ff"), value!(b"\x01\x02\x03\x04\x05".as_slice()));
    assert_eq!(read("f7"), Value::Null);
    assert_eq!(read("d9 d9f7 01"), value!(1));
    assert_eq!(read("c2 42 0100"), value!(256));
    assert_eq!(read("c3 42 0100"), value!(-257));
    assert_eq!(read("c3 48 7fffffffffffffff"), value!(i64::MIN));
}

#[test]
fn what_a_value_cannot_hold_is_refused_with_its_place() {
    let large =
        "an integer is beyond 64 bits at byte 1; send it as a string, or as a float if its last digits do not matter";
    assert_eq!(refusal("81 1b 8000000000000000"), large);
    assert_eq!(refusal("81 3b 8000000000000000"), large);
    assert_eq!(refusal("81 c2 49 010000000000000000"), large);
    assert_eq!(refusal("a1 01 02"), "a value cannot hold a key that is not text at byte 1; send keys as text");
    assert_eq!(refusal("a2 6161 01 6161 02"), r#"the key "a" stands twice in one map at byte 4; send each key once"#);
    assert_eq!(
        refusal("81 d8 20 61 61"),
        "a value cannot hold the tag 32 at byte 1; send what is in it without the tag"
    );
    assert_eq!(refusal("f0"), "a value cannot hold a simple value at byte 0; send null, a boolean or a number");
    assert_eq!(
        refusal("c0 61 61"),
        r#""a" is not a date and time with an offset at byte 0; write it like 2026-03-29T13:37:00+02:00"#
    );
    assert_eq!(refusal("ff"), "this is not CBOR at byte 0: an end without a beginning; send well-formed CBOR");
    assert_eq!(refusal("01 02"), "this is not CBOR at byte 1: there is more after the value; send well-formed CBOR");
    assert_eq!(
        refusal("61 ff"),
        "this is not CBOR at byte 0: text that is not UTF-8, or an item longer than memory is; send well-formed CBOR"
    );
    assert_eq!(refusal("1c"), "this is not CBOR at byte 0: a byte 0x1c that begins nothing; send well-formed CBOR");
}

#[test]
fn it_is_written_after_what_is_in_the_buffer() {
    let mut buffer = vec![7];
    cbor::write(&value!([1]), &mut buffer).unwrap();
    assert_eq!(buffer, [7, 0x81, 1]);
}
