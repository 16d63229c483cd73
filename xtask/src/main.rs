//! The project's own tasks: set up, test, measure, check.
fn main() {}
