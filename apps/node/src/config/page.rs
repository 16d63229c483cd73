//! The reference page of the config, made of the table of keys.

use super::keys::{Absent, Key, SECTIONS, Takes};
use std::fmt::Write;

const BEGIN: &str = "\
# The config: every key

`anabranch run anabranch.toml` runs a node from one TOML file; `anabranch check anabranch.toml` says everything that is
wrong with it, and what it describes. This page is made of the table that the program checks a config with; a test
compares the two. A key that is not here is an error that names the nearest one. Paths are beside the file.

```toml
[node]
data = \"data\"

[[connector]]
url = \"mqtt://127.0.0.1:1883\"

[[record]]
name = \"temperature\"
buffer = { kind = \"spmc-ring\", capacity = 64 }
keep = { namespace = \"temperature\", key = \"{device}\" }

[[namespace]]
name = \"temperature\"
retention = { for = \"30d\" }

[[link]]
record = \"temperature\"
from = \"mqtt://sensors/{device}/temp\"

[[link]]
record = \"temperature\"
to = \"mqtt://copy/{device}\"
qos = 1
```
";

/// `docs/guide/config.md`, as this version of the program has it.
pub fn reference_page() -> String {
    let mut page = String::from(BEGIN);
    for section in SECTIONS {
        let _ = write!(page, "\n## `{}`\n\n{}\n", section.heading(), section.says);
        match section.keys {
            Some(keys) => table(&mut page, keys),
            None => page.push_str(
                "\nNot active yet: it is accepted as it stands, its keys are not looked at, and the start says so.\n",
            ),
        }
        for (key, nested) in section.keys.into_iter().flatten().filter_map(|key| Some((key, nested(key)?))) {
            let _ = write!(page, "\n### `{} {} = {{ … }}`\n", section.heading(), key.name);
            table(&mut page, nested);
        }
    }
    page
}

fn nested(key: &Key) -> Option<&'static [Key]> {
    match key.takes {
        Takes::Table(keys) | Takes::WordOrTable(_, keys) => Some(keys),
        _ => None,
    }
}

fn table(page: &mut String, keys: &[Key]) {
    page.push_str("\n| key | set to | without it | |\n|---|---|---|---|\n");
    for key in keys {
        let without = match key.absent {
            Absent::Needed => "an error".into(),
            Absent::Default(value) => format!("`{value}`"),
            Absent::Nothing => "–".into(),
        };
        let later = if key.active { "" } else { "Not active yet: accepted, and the start says so. " };
        let _ = writeln!(page, "| `{}` | {} | {without} | {later}{} |", key.name, key.takes.in_words(), key.says);
    }
}
