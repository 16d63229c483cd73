//! What the compiler says to wrong use of the macros, word for word and with the place. That right use says nothing is shown
//! beside it (`right_use.rs`): here it would have all that the façade needs built once more, and not only checked.

#[test]
fn wrong_use_is_told_at_its_place_with_what_to_write_instead() {
    let cases = trybuild::TestCases::new();
    cases.compile_fail("tests/wrong_use/*.rs");
}
