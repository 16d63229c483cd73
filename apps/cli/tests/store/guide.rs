//! The guide's page on time travel, as its reader goes through it: what it says comes back is what comes back.

use super::place;
use std::{collections::BTreeMap, env, path::Path, process::Command};

const PAGE: &str = include_str!("../../../../docs/guide/time-travel.md");

/// Each command of the page with what it prints there.
fn steps() -> Vec<(&'static str, String)> {
    let mut steps: Vec<(&str, String)> = Vec::new();
    let blocks = PAGE.split("```console\n").skip(1).map(|block| block.split("```").next().unwrap_or_default());
    for line in blocks.flat_map(str::lines) {
        match (line.strip_prefix("$ "), steps.last_mut()) {
            (Some(command), _) => steps.push((command, String::new())),
            (None, Some((_, printed))) => *printed += &format!("{line}\n"),
            (None, None) => panic!("a block begins with a command: {line}"),
        }
    }
    steps
}

#[derive(Debug, PartialEq, Clone, Copy)]
enum Part<'t> {
    /// The same in each run.
    Text(&'t str),
    /// An id or a time.
    Name(&'t str),
}

fn parts(text: &str) -> Vec<Part<'_>> {
    let (mut parts, mut from, mut at) = (Vec::new(), 0, 0);
    while at < text.len() {
        let name = text.get(at..).and_then(name_at);
        match name {
            Some(name) => {
                parts.extend([Part::Text(&text[from..at]), Part::Name(name)]);
                at += name.len();
                from = at;
            }
            None => at += 1,
        }
    }
    parts.push(Part::Text(&text[from..]));
    parts
}

/// The id or the time that a text begins with.
fn name_at(text: &str) -> Option<&str> {
    let id = text.get(..64).filter(|id| id.bytes().all(|byte| byte.is_ascii_hexdigit()));
    let is_time = |time: &&str| {
        let pattern = "0000-00-00T00:00:00.000000000Z";
        time.bytes()
            .zip(pattern.bytes())
            .all(|(byte, like)| if like == b'0' { byte.is_ascii_digit() } else { byte == like })
    };
    id.or_else(|| text.get(..30).filter(is_time))
}

fn types(place: &Path, command: &str) -> String {
    let program = Path::new(env!("CARGO_BIN_EXE_anabranch")).parent().expect("it is in a directory");
    let others = env::var_os("PATH").unwrap_or_default();
    let path = env::join_paths([program.to_path_buf()].into_iter().chain(env::split_paths(&others))).expect("paths");
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("{command} 2>&1")]).current_dir(place).env("PATH", path);
    String::from_utf8(shell.output().expect("there is a shell").stdout).expect("it is text")
}

#[test]
fn each_command_of_the_page_prints_what_the_page_says() {
    let place = place();
    let steps = steps();
    assert!(steps.len() > 20, "{} commands", steps.len());
    // What the page calls what is here called otherwise.
    let mut here: BTreeMap<&str, String> = BTreeMap::new();
    for (command, printed) in &steps {
        let typed = parts(command).into_iter().map(|part| match part {
            Part::Text(text) => text.to_owned(),
            Part::Name(name) => {
                here.get(name).unwrap_or_else(|| panic!("{name} was not shown before: {command}")).clone()
            }
        });
        let came = types(place.path(), &typed.collect::<String>());
        let (on_page, came_in_parts) = (parts(printed), parts(&came));
        assert_eq!(on_page.len(), came_in_parts.len(), "$ {command}\n{came}");
        for pair in on_page.into_iter().zip(came_in_parts) {
            match pair {
                (Part::Name(name), Part::Name(other)) => {
                    let known = here.entry(name).or_insert_with(|| other.to_owned());
                    assert_eq!(known, other, "$ {command}\n{came}");
                }
                (on_page, here) => assert_eq!(on_page, here, "$ {command}\n{came}"),
            }
        }
    }
}
