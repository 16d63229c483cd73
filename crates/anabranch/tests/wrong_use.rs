//! What the compiler says to wrong use of the macros, word for word and with the place; and that right use says nothing.

#[test]
fn wrong_use_is_told_at_its_place_with_what_to_write_instead() {
    let cases = trybuild::TestCases::new();
    cases.compile_fail("tests/wrong_use/*.rs");
}

#[test]
fn right_use_compiles_without_a_warning() {
    let cases = trybuild::TestCases::new();
    cases.pass("tests/right_use/*.rs");
}
