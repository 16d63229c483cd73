//! The guide page "Write a connector" shows this connector, and not one that it was once.

/// Rust without its layout: a page may have its own.
fn packed(text: &str) -> String {
    text.split_whitespace().collect()
}

#[test]
fn each_block_of_the_guide_stands_in_the_example() {
    let page = include_str!("../../../docs/guide/connector.md");
    let sources = [include_str!("../src/lib.rs"), include_str!("connector.rs")].map(packed);
    let blocks: Vec<&str> =
        page.split("```rust\n").skip(1).filter_map(|rest| Some(rest.split_once("```")?.0)).collect();
    assert!(blocks.len() >= 4, "the page has blocks");
    for block in blocks {
        let there = sources.iter().any(|source| source.contains(&packed(block)));
        assert!(there, "this is not in the example; take it from there:\n{block}");
    }
}

#[test]
fn it_is_a_connector_of_150_lines() {
    let lines = include_str!("../src/lib.rs").lines().map(str::trim);
    let code = lines.filter(|line| !line.is_empty() && !line.starts_with("//")).count();
    assert!(code <= 150, "{code} lines of code: the guide says 150");
}
