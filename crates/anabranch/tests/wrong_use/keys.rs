#![allow(unused, reason = "the errors are what is shown here")]
use anabranch::prelude::*;
use std::convert::Infallible;

#[derive(RecordKey)]
struct NoRecord;

#[derive(RecordKey)]
#[record(key = "a")]
struct NoValue;

#[derive(RecordKey)]
#[record(key = "b", value = u8)]
struct Holds(u8);

#[derive(RecordKey)]
#[record(kay = "c", value = u8)]
struct Slip;

#[derive(RecordKey)]
#[record(value = u8)]
enum Twice {
    #[key = "d"]
    First,
    #[key = "d"]
    Second,
}

#[derive(RecordKey)]
#[record(value = u8)]
enum Nameless {
    First,
}

fn main() {}
