//! Words that are known, and which of them was probably meant.

/// The known word nearest to `word`, if it is near enough to be a slip.
pub(crate) fn nearest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    let (distance, nearest) = known.iter().map(|known| (distance(word, known), *known)).min()?;
    (distance <= nearest.len().max(word.len()) / 2).then_some(nearest)
}

/// The words as a list for people: `` `a`, `b` or `c` ``, each within `quote`.
pub(crate) fn list(words: &[&str], quote: char) -> String {
    let quoted: Vec<_> = words.iter().map(|word| format!("{quote}{word}{quote}")).collect();
    match quoted.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        _ => quoted.concat(),
    }
}

/// How many letters have to be put in, taken out or changed.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, to) in b.iter().enumerate() {
            let changed = diagonal + usize::from(from != *to);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_finds_the_word_that_was_meant_and_another_word_finds_none() {
        let known = ["restart", "backoff", "limit"];
        assert_eq!(nearest("restrat", &known), Some("restart"));
        assert_eq!(nearest("back_off", &known), Some("backoff"));
        assert_eq!(nearest("limits", &known), Some("limit"));
        assert_eq!(nearest("colour", &known), None);
    }

    #[test]
    fn a_list_reads_as_a_sentence() {
        assert_eq!(list(&["a"], '`'), "`a`");
        assert_eq!(list(&["a", "b", "c"], '"'), "\"a\", \"b\" or \"c\"");
        assert_eq!(list(&[], '`'), "");
    }
}
