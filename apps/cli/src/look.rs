//! How things look to people: colours on a terminal, how long ago something was, numbers that can be read.

use std::{
    env,
    fmt::{self, Display},
    io::{IsTerminal, stderr, stdout},
};

use anabranch::store::Timestamp;
use anstyle::{AnsiColor, Style};

/// Whether there are people, and whether they want colours: on a terminal, unless `NO_COLOR` is set or the terminal is dumb.
#[derive(Debug, Clone, Copy)]
pub struct Look {
    pub on_terminal: bool,
    colours: bool,
}

pub const KEY: Style = Style::new().bold();
pub const TIME: Style = AnsiColor::Cyan.on_default();
pub const ID: Style = Style::new().dimmed();
pub const GONE: Style = AnsiColor::Red.on_default();
pub const NEW: Style = AnsiColor::Green.on_default();

impl Look {
    /// Of the standard output.
    pub fn of_output() -> Self {
        Self::of(stdout().is_terminal())
    }

    /// Of the standard error.
    pub fn of_errors() -> Self {
        Self::of(stderr().is_terminal())
    }

    fn of(on_terminal: bool) -> Self {
        let is_set = |name| env::var_os(name).is_some_and(|text: std::ffi::OsString| !text.is_empty());
        let is_dumb = env::var_os("TERM").is_some_and(|terminal| terminal == "dumb");
        Look { on_terminal, colours: on_terminal && !is_set("NO_COLOR") && !is_dumb }
    }

    /// `text`, in a style where there are colours.
    pub fn paint(self, style: Style, text: impl Display) -> impl Display {
        fmt::from_fn(move |f| if self.colours { write!(f, "{style}{text}{style:#}") } else { text.fmt(f) })
    }

    /// A time: RFC 3339, and how long ago it was for who sees it on a terminal.
    pub fn time(self, at: Timestamp, now: Timestamp) -> impl Display {
        fmt::from_fn(move |f| {
            self.paint(TIME, at).fmt(f)?;
            if self.on_terminal { write!(f, " ({})", ago(at, now)) } else { Ok(()) }
        })
    }
}

/// The units of time that are said, the longest first: how many seconds each has.
pub const UNITS: [(&str, i64); 4] = [("d", 86_400), ("h", 3600), ("min", 60), ("s", 1)];

/// How long ago something was: `10 min ago`. What `--at` reads, too.
pub fn ago(then: Timestamp, now: Timestamp) -> impl Display {
    let seconds = now.nanos().saturating_sub(then.nanos()) / 1_000_000_000;
    let in_words = move |f: &mut fmt::Formatter<'_>, seconds: i64| {
        let (unit, each) = UNITS.into_iter().find(|(_, each)| seconds >= *each).unwrap_or(("s", 1));
        write!(f, "{} {unit}", seconds / each)
    };
    fmt::from_fn(move |f| match seconds {
        0 => f.write_str("just now"),
        1.. => in_words(f, seconds).and_then(|()| f.write_str(" ago")),
        _ => f.write_str("in ").and_then(|()| in_words(f, seconds.saturating_neg())),
    })
}

/// A count with a separator: `3,000`.
pub fn count(number: u64) -> impl Display {
    fmt::from_fn(move |f| {
        let digits = number.to_string();
        for (place, digit) in digits.chars().enumerate() {
            if place > 0 && (digits.len() - place).is_multiple_of(3) {
                f.write_str(",")?;
            }
            write!(f, "{digit}")?;
        }
        Ok(())
    })
}

/// A count and what is counted: `1 key`, `3,000 keys`.
pub fn counted(number: u64, one: &'static str, several: &'static str) -> impl Display {
    fmt::from_fn(move |f| write!(f, "{} {}", count(number), if number == 1 { one } else { several }))
}

/// A size: `1.2 MB`.
pub fn size(bytes: u64) -> impl Display {
    fmt::from_fn(move |f| {
        let units = ["kB", "MB", "GB", "TB", "PB", "EB"];
        if bytes < 1000 {
            return write!(f, "{bytes} bytes");
        }
        let (mut size, mut unit) = (bytes as f64 / 1000.0, 0);
        while size >= 999.95 && unit + 1 < units.len() {
            size /= 1000.0;
            unit += 1;
        }
        write!(f, "{size:.1} {}", units[unit])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_long_ago_is_said_in_the_longest_unit_that_fits() {
        let seconds = |seconds: i64| Timestamp::from_nanos(seconds * 1_000_000_000);
        let now = seconds(1_774_791_420);
        for (before, words) in [
            (0, "just now"),
            (1, "1 s ago"),
            (59, "59 s ago"),
            (60, "1 min ago"),
            (600, "10 min ago"),
            (3599, "59 min ago"),
            (3600, "1 h ago"),
            (86_400, "1 d ago"),
            (400 * 86_400, "400 d ago"),
            (-5, "in 5 s"),
        ] {
            assert_eq!(ago(seconds(1_774_791_420 - before), now).to_string(), words);
        }
        assert_eq!(ago(Timestamp::EARLIEST, Timestamp::LATEST).to_string(), "106751 d ago");
    }

    #[test]
    fn numbers_can_be_read() {
        assert_eq!((count(0).to_string(), count(999).to_string()), ("0".into(), "999".into()));
        assert_eq!(count(1_234_567).to_string(), "1,234,567");
        assert_eq!(counted(1, "key", "keys").to_string(), "1 key");
        for (bytes, words) in
            [(0, "0 bytes"), (999, "999 bytes"), (1000, "1.0 kB"), (999_950, "1.0 MB"), (u64::MAX, "18.4 EB")]
        {
            assert_eq!(size(bytes).to_string(), words);
        }
    }

    #[test]
    fn colours_are_for_terminals() {
        let look = Look { on_terminal: true, colours: true };
        assert_eq!(look.paint(GONE, "gone").to_string(), "\u{1b}[31mgone\u{1b}[0m");
        let look = Look { on_terminal: true, colours: false };
        assert_eq!(look.paint(GONE, "gone").to_string(), "gone");
    }
}
