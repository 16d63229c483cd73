//! The README's table of sizes: between two marks stands what the command prints, to the letter.

use std::path::Path;

use crate::failure::Failure;

const FILE: &str = "README.md";
const BEGIN: &str = "<!-- what `cargo xtask sizes` prints: `cargo xtask sizes --write-readme` -->\n";
const END: &str = "<!-- end of what it prints -->\n";

/// Compares the README's table with the one that was printed.
pub fn compare(root: &Path, printed: &str) -> Result<(), Failure> {
    let text = read(root)?;
    if text == with(&text, printed)? {
        return Ok(());
    }
    Err(Failure::new(format!(
        "{FILE} has other sizes than those above: `cargo xtask sizes --write-readme` puts them there"
    )))
}

/// Puts the table that was printed into the README.
pub fn write(root: &Path, printed: &str) -> Result<(), Failure> {
    let text = with(&read(root)?, printed)?;
    std::fs::write(root.join(FILE), text).map_err(|error| Failure::new(format!("{FILE}: {error}; make it writable")))
}

fn read(root: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(root.join(FILE))
        .map_err(|error| Failure::new(format!("{FILE}: {error}; `git checkout {FILE}` brings it back")))
}

/// The text with this table between the marks.
fn with(text: &str, printed: &str) -> Result<String, Failure> {
    let parts = text.split_once(BEGIN).and_then(|(before, rest)| Some((before, rest.split_once(END)?.1)));
    let Some((before, after)) = parts else {
        return Err(Failure::new(format!("{FILE} has no place for the sizes; put these lines there:\n{BEGIN}{END}")));
    };
    Ok(format!("{before}{BEGIN}```text\n{printed}```\n{END}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_stands_between_the_marks_and_nothing_else_changes() {
        let text = format!("# Sizes\n{BEGIN}old\n{END}the rest\n");
        let new = with(&text, "  flash\n").unwrap();
        assert_eq!(new, format!("# Sizes\n{BEGIN}```text\n  flash\n```\n{END}the rest\n"));
        assert_eq!(with(&new, "  flash\n").unwrap(), new);
    }

    #[test]
    fn a_text_without_the_marks_says_what_to_put_there() {
        assert!(with("# Sizes\n", "").unwrap_err().to_string().contains(BEGIN));
        assert!(with(&format!("{END}{BEGIN}"), "").is_err());
    }
}
