#![allow(unused)]
use anabranch::prelude::*;
use std::convert::Infallible;

#[service]
struct Cooling;

fn main() {}
