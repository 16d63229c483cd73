//! Dates, times and durations, their text and their order.

use anabranch_value::{Date, Duration, LocalDateTime, LocalTime, Value, ZonedDateTime, ZonedTime};
use std::fmt::{Debug, Display};
use std::str::FromStr;

/// Text that is written again as it was read.
fn reads<T: FromStr<Err: Debug> + Display>(texts: &[&str]) {
    for text in texts {
        assert_eq!(text.parse::<T>().unwrap().to_string(), *text);
    }
}

fn refuses<T: FromStr + Debug>(texts: &[&str]) {
    for text in texts {
        assert!(text.parse::<T>().is_err(), "{text}");
    }
}

#[test]
fn text_is_that_of_rfc_3339() {
    reads::<Date>(&["2026-03-29", "0000-01-01", "2024-02-29", "9999-12-31", "-009999-01-01"]);
    refuses::<Date>(&[
        "",
        "2026-02-29",
        "2026-3-29",
        "2026-03-29T00:00",
        "2026-03-29Z",
        "10000-01-01",
        "+010000-01-01",
        "today",
    ]);
    reads::<LocalTime>(&["00:00:00", "13:37:00", "23:59:59.999999999", "13:37:00.25"]);
    refuses::<LocalTime>(&["", "13", "24:00:00", "13:60:00", "13:37:00Z", "T13:37:00", "13:37:00.1234567890"]);
    reads::<LocalDateTime>(&["2026-03-29T13:37:00", "2026-03-29T13:37:00.000000001"]);
    refuses::<LocalDateTime>(&["", "2026-03-29", "2026-03-29T", "2026-03-29T13:37:00Z", "2026-03-29T13:37:00+02:00"]);
    reads::<ZonedTime>(&["13:37:00Z", "13:37:00+02:00", "13:37:00-18:00", "13:37:00+02:00:30"]);
    refuses::<ZonedTime>(&[
        "",
        "Z",
        "13:37:00",
        "13:37:00+24:00",
        "13:37:00+2",
        "13:37:00+02:60",
        "13:37:00+02:00:00:00",
    ]);
    reads::<ZonedDateTime>(&[
        "2026-03-29T13:37:00Z",
        "2026-03-29T13:37:00.5-09:30",
        "2026-03-29T13:37:00+02:00[Europe/Berlin]",
        "-009999-01-01T00:00:00+23:59:59",
        "9999-12-31T23:59:59.999999999-23:59:59",
    ]);
    refuses::<ZonedDateTime>(&[
        "",
        "]",
        "2026-03-29T13:37:00",
        "2026-03-29",
        "2026-03-29T13:37:00+02:00[]",
        "2026-03-29T13:37:00+02:00[a b]",
        "2026-03-29T13:37:00+02:00[a][b]",
        "2026-03-29T13:37:00[Europe/Berlin]",
    ]);
}

#[test]
fn other_spellings_are_read() {
    let moment = "2026-03-29T13:37:00+02:00".parse::<ZonedDateTime>().unwrap();
    for text in ["2026-03-29t13:37:00+02", "2026-03-29 13:37:00+0200", "2026-03-29T13:37+02:00"] {
        assert_eq!(text.parse(), Ok(moment.clone()), "{text}");
    }
    // A leap second is the last second of its minute.
    assert_eq!("23:59:60".parse(), Ok(LocalTime::new(23, 59, 59, 0).unwrap()));
}

#[test]
fn all_nine_digits_are_written_where_they_are_asked_for() {
    let moment = ZonedDateTime::from_unix_nanos(1_774_791_420_000_000_000);
    assert_eq!(moment.to_string(), "2026-03-29T13:37:00Z");
    assert_eq!(format!("{moment:.9}"), "2026-03-29T13:37:00.000000000Z");
}

#[test]
fn what_does_not_parse_is_told_what_would() {
    assert_eq!(
        "soon".parse::<Duration>().unwrap_err().to_string(),
        r#""soon" is not a duration; write it like P1Y2M10DT2H30M"#
    );
}

#[test]
fn parts_are_what_they_were_made_from() {
    let (date, time) = (Date::new(2026, 3, 29).unwrap(), LocalTime::new(13, 37, 1, 250_000_000).unwrap());
    assert_eq!((date.year(), date.month(), date.day(), date.unix_days()), (2026, 3, 29, 20_541));
    assert_eq!((time.hour(), time.minute(), time.second(), time.nanosecond()), (13, 37, 1, 250_000_000));
    let local = LocalDateTime::new(date, time);
    assert_eq!((local.date(), local.time()), (date, time));
    let moment = ZonedDateTime::new(local, 7200, Some("Europe/Berlin".into())).unwrap();
    assert_eq!((moment.local(), moment.offset(), moment.zone()), (local, 7200, Some("Europe/Berlin")));
    assert_eq!(moment.unix(), (1_774_784_221, 250_000_000));
    assert_eq!(moment.unix_nanos(), Some(1_774_784_221_250_000_000));
    let time = ZonedTime::new(time, -3600).unwrap();
    assert_eq!((time.time(), time.offset()), (local.time(), -3600));
}

#[test]
fn what_no_calendar_has_is_refused() {
    assert_eq!((Date::new(2026, 2, 29), Date::new(10_000, 1, 1), Date::new(2026, 200, 1)), (None, None, None));
    assert_eq!((LocalTime::new(24, 0, 0, 0), LocalTime::new(0, 0, 0, 1_000_000_000)), (None, None));
    assert_eq!((LocalTime::new(200, 0, 0, 0), LocalTime::new(0, 0, 0, u32::MAX)), (None, None));
    assert_eq!(Date::from_unix_days(i32::MAX), None);
    let time = LocalTime::new(0, 0, 0, 0).unwrap();
    assert_eq!((ZonedTime::new(time, 86_400), ZonedTime::new(time, i32::MIN)), (None, None));
    assert_eq!(ZonedDateTime::from_unix(i64::MAX, 0), None);
    assert_eq!(Duration::new(0, 0, i64::MAX, 1_000_000_000), None);
}

#[test]
fn moments_before_1970_are_whole() {
    let moment = ZonedDateTime::from_unix_nanos(-1);
    assert_eq!(moment.to_string(), "1969-12-31T23:59:59.999999999Z");
    assert_eq!((moment.unix(), moment.unix_nanos()), ((-1, 999_999_999), Some(-1)));
    for nanos in [i64::MIN, i64::MAX, 0, -1_000_000_000] {
        assert_eq!(ZonedDateTime::from_unix_nanos(nanos).unix_nanos(), Some(nanos));
    }
    let last: ZonedDateTime = "9999-12-31T23:59:59Z".parse().unwrap();
    assert_eq!(last.unix_nanos(), None);
}

#[test]
fn durations_keep_their_parts_apart() {
    let parts = |text: &str| {
        let duration: Duration = text.parse().unwrap();
        (duration.months(), duration.days(), duration.seconds(), duration.nanosecond())
    };
    assert_eq!(parts("P1Y2M10DT2H30M"), (14, 10, 9000, 0));
    assert_eq!(parts("P2W"), (0, 14, 0, 0));
    assert_eq!(parts("PT0.5S"), (0, 0, 0, 500_000_000));
    assert_eq!(parts("PT-0.5S"), (0, 0, -1, 500_000_000));
    assert_eq!(parts("-P1M1DT1.5S"), (-1, -1, -2, 500_000_000));
    assert_eq!(parts("P1M-1DT1H-1M"), (1, -1, 3540, 0));
    assert_ne!("P1D".parse::<Duration>(), "PT24H".parse());
    reads::<Duration>(&[
        "PT0S",
        "P1Y2M10DT2H30M",
        "P-1Y-2M",
        "PT-0.5S",
        "PT1.000000001S",
        "P1DT-1H",
        "P-3D",
        "PT-1M-0.25S",
    ]);
    refuses::<Duration>(&[
        "",
        "P",
        "PT",
        "P1",
        "1D",
        "P1DT",
        "P1D1M",
        "P1M1Y",
        "PT1H1H",
        "P1.5D",
        "PT1.5H",
        "PT1.S",
        "PT.5S",
        "P--1D",
        "P1D ",
        "PT1.0000000001S",
        "P99999999999999999999D",
        "P9223372036854775807Y",
    ]);
}

#[test]
fn the_longest_and_the_shortest_come_back() {
    for parts in [(i64::MAX, i64::MAX, i64::MAX, 999_999_999), (i64::MIN, i64::MIN, i64::MIN, 0), (0, 0, -1, 1)] {
        let duration = Duration::new(parts.0, parts.1, parts.2, parts.3).unwrap();
        assert_eq!(duration.to_string().parse(), Ok(duration), "{duration}");
    }
}

#[test]
fn durations_are_sorted_by_their_average_length() {
    let duration = |text: &str| text.parse::<Duration>().unwrap();
    assert!(duration("P1M") > duration("P30D") && duration("P1M") < duration("P31D"));
    assert!(duration("PT24H") < duration("P1D") && duration("P1D") < duration("PT24H1S"));
    assert!(duration("P-1D") < duration("PT0S"));
}

#[test]
fn a_struct_has_them_as_text_and_a_value_as_what_they_are() {
    #[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
    struct Shift {
        day: Date,
        begin: ZonedTime,
        length: Duration,
    }
    let shift = Shift {
        day: "2026-03-29".parse().unwrap(),
        begin: "08:00:00+02:00".parse().unwrap(),
        length: "PT8H".parse().unwrap(),
    };
    let value = Value::from_serialize(&shift).unwrap();
    assert_eq!(value.get("day"), Some(&Value::Date(shift.day)));
    assert_eq!(value.get("length"), Some(&Value::from(shift.length)));
    assert_eq!(value.deserialize_into::<Shift>().unwrap(), shift);

    let json = r#"{"day":"2026-03-29","begin":"08:00:00+02:00","length":"PT8H"}"#;
    assert_eq!(serde_json::to_string(&shift).unwrap(), json);
    assert_eq!(serde_json::from_str::<Shift>(json).unwrap(), shift);
}
