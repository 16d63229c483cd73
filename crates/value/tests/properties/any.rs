//! Values of all kinds, the awkward ones as often as the common ones.

use anabranch_value::{Date, Duration, LocalDateTime, LocalTime, Map, Text, Value, ZonedDateTime, ZonedTime};
use proptest::collection::vec;
use proptest::prelude::*;

/// Numbers that a rounding would make equal, those at the ends of the types, and any.
pub fn number() -> impl Strategy<Value = Value> {
    const CORNERS: [f64; 12] = [
        0.0,
        -0.0,
        1.0,
        0.5,
        9_007_199_254_740_992.0,
        9_007_199_254_740_994.0,
        9_223_372_036_854_774_784.0,
        9_223_372_036_854_775_808.0,
        -9_223_372_036_854_775_808.0,
        f64::INFINITY,
        f64::NEG_INFINITY,
        f64::MIN_POSITIVE,
    ];
    const NEAR: [i64; 7] = [0, 1, 9_007_199_254_740_992, 9_007_199_254_740_993, i64::MAX, i64::MAX - 511, i64::MIN];
    prop_oneof![
        prop::sample::select(NEAR.to_vec()).prop_map(Value::Int),
        prop::sample::select(CORNERS.to_vec()).prop_map(Value::Float),
        any::<i64>().prop_map(Value::Int),
        (-3_i64..3).prop_map(Value::Int),
        any::<u64>().prop_map(|bits| Value::Float(f64::from_bits(bits))),
        any::<f32>().prop_map(|number| Value::Float(number.into())),
        // Not a number, in 2^52 ways and with either sign.
        any::<u64>().prop_map(|bits| Value::Float(f64::from_bits(bits | 0x7ff8 << 48))),
    ]
}

fn date() -> impl Strategy<Value = Date> {
    (-4_371_587..=2_932_896).prop_map(|days| Date::from_unix_days(days).expect("the calendar has it"))
}

fn local_time() -> impl Strategy<Value = LocalTime> {
    let nanosecond = prop_oneof![Just(0), Just(250_000_000), Just(1), 0_u32..1_000_000_000];
    (0_u8..24, 0_u8..60, 0_u8..60, nanosecond).prop_map(|(hour, minute, second, nanosecond)| {
        LocalTime::new(hour, minute, second, nanosecond).expect("every day has it")
    })
}

fn local_date_time() -> impl Strategy<Value = LocalDateTime> {
    (date(), local_time()).prop_map(|(date, time)| LocalDateTime::new(date, time))
}

fn offset() -> impl Strategy<Value = i32> {
    prop_oneof![Just(0), Just(3600), -86_399..=86_399]
}

fn duration() -> impl Strategy<Value = Duration> {
    let part = || prop_oneof![Just(0_i64), -100_i64..100, any::<i64>()];
    (part(), part(), part(), part()).prop_filter_map("too long", |(months, days, seconds, nanoseconds)| {
        Duration::new(months, days, seconds, nanoseconds)
    })
}

fn temporal() -> impl Strategy<Value = Value> {
    let zone = prop::option::of(prop::sample::select(vec!["Europe/Berlin", "Etc/GMT+1", "UTC"]));
    prop_oneof![
        date().prop_map(Value::from),
        local_time().prop_map(Value::from),
        local_date_time().prop_map(Value::from),
        (local_time(), offset())
            .prop_map(|(time, offset)| ZonedTime::new(time, offset).expect("less than a day").into()),
        (local_date_time(), offset(), zone).prop_map(|(local, offset, zone)| {
            ZonedDateTime::new(local, offset, zone.map(Text::from)).expect("less than a day").into()
        }),
        any::<i64>().prop_map(|nanos| ZonedDateTime::from_unix_nanos(nanos).into()),
        duration().prop_map(Value::from),
    ]
}

pub fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        number(),
        any::<String>().prop_map(Value::from),
        prop::sample::select(vec!["", "a", "b", "2026-03-29", "NaN", "AQ=="]).prop_map(Value::from),
        vec(any::<u8>(), 0..40).prop_map(Value::from),
        temporal(),
    ]
}

/// Keys that look like tags among ordinary ones.
fn key() -> impl Strategy<Value = String> + Clone {
    let awkward = ["", "a", "b", "$bytes", "$$bytes", "$date", "$$$date", "$float", "$", "$ref", "a.b", "\""];
    prop_oneof![prop::sample::select(awkward.to_vec()).prop_map(String::from), any::<String>()]
}

pub fn value() -> impl Strategy<Value = Value> {
    scalar().prop_recursive(5, 60, 8, |inner| {
        let entry = (key(), inner.clone());
        prop_oneof![
            vec(inner, 0..8).prop_map(Value::from),
            vec(entry.clone(), 0..2).prop_map(|entries| Value::Map(Map::from_iter(entries))),
            // Large enough for an index.
            vec(entry, 0..40).prop_map(|entries| Value::Map(Map::from_iter(entries))),
        ]
    })
}
