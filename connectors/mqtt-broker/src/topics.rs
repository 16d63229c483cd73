//! Which topics a filter stands for.

/// Whether `topic` is one of those that `filter` stands for: `+` is any one level, a last `#` is the level above it and all
/// below. A filter that begins with a wildcard does not stand for topics that begin with `$`.
pub(crate) fn matches(filter: &str, topic: &str) -> bool {
    if topic.starts_with('$') && filter.starts_with(['+', '#']) {
        return false;
    }
    let mut levels = topic.split('/');
    for part in filter.split('/') {
        match (part, levels.next()) {
            ("#", _) => return true,
            (_, None) => return false,
            ("+", Some(_)) => {}
            (part, Some(level)) if part == level => {}
            _ => return false,
        }
    }
    levels.next().is_none()
}

/// Whether a filter stands for more than the topic of its own name.
pub(crate) fn has_wildcard(filter: &str) -> bool {
    filter.contains(['+', '#'])
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn a_plus_is_one_level_and_a_hash_is_the_parent_and_all_below() {
        assert!(matches("a/+/c", "a/b/c") && !matches("a/+/c", "a/b/b/c") && !matches("a/+", "a"));
        assert!(matches("a/#", "a") && matches("a/#", "a/b/c") && !matches("a/#", "ab"));
        assert!(matches("+/+", "/x") && matches("/+", "/x") && !matches("+", "/x"));
        assert!(matches("#", "a/b") && matches("a//b", "a//b") && !matches("a/b", "a//b"));
    }

    #[test]
    fn a_leading_wildcard_does_not_stand_for_topics_of_the_server() {
        assert!(!matches("#", "$SYS/uptime") && !matches("+/uptime", "$SYS/uptime"));
        assert!(matches("$SYS/#", "$SYS/uptime") && matches("$SYS/+", "$SYS/uptime"));
    }
}
