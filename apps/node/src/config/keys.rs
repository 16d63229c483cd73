//! Every section and key of the config, in one table: what a file may hold, what is suggested where it holds something
//! else, and the reference page are all made of it.

/// A section of the file.
#[derive(Debug)]
pub struct Section {
    /// What stands between its brackets.
    pub name: &'static str,
    /// Whether there may be several: `[[record]]`, and not `[node]`.
    pub several: bool,
    /// Its keys; `None` when it is not active yet, and so accepted as it stands.
    pub keys: Option<&'static [Key]>,
    /// What it is for.
    pub says: &'static str,
}

/// A key of a section or of a table in one.
#[derive(Debug)]
pub struct Key {
    /// Its name.
    pub name: &'static str,
    /// What it may be set to.
    pub takes: Takes,
    /// What holds when it is not there.
    pub absent: Absent,
    /// Whether it does something already.
    pub active: bool,
    /// What it is for.
    pub says: &'static str,
}

/// What a key may be set to.
#[derive(Debug)]
pub enum Takes {
    /// A text that says something.
    Text,
    /// Any text.
    AnyText,
    /// The name of a file or directory.
    Path,
    /// One of these words.
    Word(&'static [&'static str]),
    /// A whole number from the first to the second.
    Number(i64, i64),
    /// `true` or `false`.
    Flag,
    /// A length of time, as "10s".
    Time,
    /// A table with these keys.
    Table(&'static [Key]),
    /// One of these words, or a table.
    WordOrTable(&'static [&'static str], &'static [Key]),
}

/// What holds when a key is not there.
#[derive(Debug)]
pub enum Absent {
    /// That is an error.
    Needed,
    /// This.
    Default(&'static str),
    /// Nothing, or what the page says beside it.
    Nothing,
}

const fn key(name: &'static str, takes: Takes, absent: Absent, says: &'static str) -> Key {
    Key { name, takes, absent, active: true, says }
}

const fn later(name: &'static str, takes: Takes, says: &'static str) -> Key {
    Key { name, takes, absent: Absent::Nothing, active: false, says }
}

use Absent::{Default, Needed, Nothing};
use Takes::{AnyText, Flag, Number, Path, Table, Text, Time, Word, WordOrTable};

/// The most values that a buffer or an offline link may be told to keep: a slip of the keyboard shall not take all memory.
const MOST_VALUES: i64 = 16_777_216;

/// The most bytes that a tier may be told to take: a TiB.
const MOST_BYTES: i64 = 1 << 40;

/// The sections, in the order of the page.
pub const SECTIONS: &[Section] = &[
    Section {
        name: "node",
        several: false,
        keys: Some(&[
            key("name", Text, Nothing, "What the node calls itself in its log."),
            key(
                "data",
                Path,
                Nothing,
                "The node's directory, made when it is not there. Its store is in it, and its socket, `node.sock`, over which \
                 `anabranch watch`, `get`, `put` and others talk to the node; without it nobody can, and nothing is kept.",
            ),
            key(
                "hot_bytes",
                Number(0, MOST_BYTES),
                Default("67108864"),
                "How many bytes of memory the newest versions of keys may take, decoded, so that to read them asks no disk.",
            ),
            key(
                "warm_bytes",
                Number(0, MOST_BYTES),
                Nothing,
                "How many bytes the rows of versions may take in the store: as many as there are when it is not given. While they \
                 take more, all but the newest version of each key are moved to compressed segments, however new.",
            ),
            key(
                "cold_after",
                Time,
                Default("\"1h\""),
                "How old a version is when it is moved to a compressed segment. It is read as before, and takes a third or less.",
            ),
            key(
                "maintain_every",
                Time,
                Default("\"1min\""),
                "How often is looked whether there are versions to be moved or dropped.",
            ),
            later("listen", Text, "Where HTTP is served over TCP, as `\"127.0.0.1:7340\"`."),
        ]),
        says: "The node itself. It may be left out.",
    },
    Section {
        name: "connector",
        several: true,
        keys: Some(&[
            key("url", Text, Needed, "The peer: `mqtt://host[:1883]`, or `mqtts://host[:8883]` over TLS."),
            key(
                "name",
                Text,
                Nothing,
                "Tells connectors of one scheme apart: links are then written `mqtt+name://…`. With one connector of a \
                 scheme, links may leave it out.",
            ),
            key("user", Text, Nothing, "The user to log in as; without a password, none is sent."),
            key("password", Text, Nothing, "The user's password; better in a file of its own."),
            key("password_file", Path, Nothing, "A file that holds the password; the end of its line is left out."),
            key(
                "ca",
                Path,
                Nothing,
                "With `mqtts`: the CA certificates (PEM) to trust; the system's when it is not given.",
            ),
            key(
                "server_name",
                Text,
                Nothing,
                "With `mqtts`: the name in the peer's certificate, when it is not the URL's host.",
            ),
            key(
                "certificate",
                Path,
                Nothing,
                "With `mqtts`: this side's certificate chain (PEM); `key` belongs to it.",
            ),
            key("key", Path, Nothing, "The private key (PEM) of `certificate`."),
            key("version", Word(&["5", "3.1.1"]), Default("\"5\""), "The version of MQTT. 3.1.1 needs a `client_id`."),
            key(
                "client_id",
                Text,
                Nothing,
                "The name under which the peer keeps the session; no two clients may have one. Without it the peer gives one, \
                 and the session ends with the process.",
            ),
            key(
                "session_expiry",
                Time,
                Default("\"1h\""),
                "How long the peer keeps the session, and what comes for it, after a connection has ended.",
            ),
            key(
                "keep_alive",
                Time,
                Default("\"30s\""),
                "After this time without a word the peer is asked whether it is there.",
            ),
            key("answer_within", Time, Default("\"10s\""), "How long the peer may take to answer."),
            key(
                "max_packet",
                Number(64, 268_435_455),
                Default("262144"),
                "The largest packet that is taken from the peer, in bytes; it keeps larger ones back, and by 3.1.1, where it cannot know, they fail at their links.",
            ),
            key(
                "receive_maximum",
                Number(1, 65_535),
                Default("1024"),
                "How many values of QoS 1 and 2 the peer may send before they are acknowledged.",
            ),
            key(
                "outbox_bytes",
                Number(1024, 1 << 30),
                Default("1048576"),
                "How many bytes may be sent and not acknowledged yet; links wait when it is full.",
            ),
            key(
                "backoff",
                Table(BACKOFF),
                Nothing,
                "The pauses between attempts to connect. They double, vary at random, and are at most 2 s while an outage is \
                 younger than 5 s.",
            ),
            key("will", Table(WILL), Nothing, "What the peer publishes when the node has gone without a word."),
        ]),
        says: "A peer that links go through.",
    },
    Section {
        name: "record",
        several: true,
        keys: Some(&[
            key("name", Text, Needed, "Its name, which links, `watch` and HTTP use."),
            key("buffer", Table(BUFFER), Needed, "How it holds values between its writer and its readers."),
            key(
                "shared",
                Flag,
                Default("false"),
                "Whether several may write to it: two connectors, or a link and HTTP. Mailboxes and queues always allow it.",
            ),
            key(
                "keep",
                Table(KEEP),
                Nothing,
                "Makes each value a version in the store, which is in the node's `data`. What is lost to it, since the disk is \
                 too slow for long, is counted; a queue makes its writers wait instead.",
            ),
        ]),
        says: "A named place that values pass through.",
    },
    Section {
        name: "link",
        several: true,
        keys: Some(&[
            key("record", Text, Needed, "The record that values come into or go out of."),
            key(
                "from",
                Text,
                Nothing,
                "The address that values come from, as `\"mqtt://sensors/{device}/temp\"`: each `{name}` is one level, and \
                 becomes a field of the value. Each link has either `from` or `to`.",
            ),
            key(
                "to",
                Text,
                Nothing,
                "The address that values go to, as `\"mqtt://copy/{device}\"`: each `{field}` is filled in from the value.",
            ),
            key(
                "format",
                Word(&["json", "cbor", "text", "bytes"]),
                Default("\"json\""),
                "How values are bytes. A payload that is no map, from an address with names, becomes `{name…, value}`; \
                 `text` (UTF-8) and `bytes` write the value itself, or its field `value`.",
            ),
            key("qos", Number(0, 2), Default("0"), "0 at most once, 1 at least once, 2 exactly once."),
            key(
                "retain",
                Flag,
                Default("false"),
                "Only with `to`: the peer keeps the newest value for those who come later.",
            ),
            key(
                "timeout",
                Time,
                Nothing,
                "Only with `to`: how long a value may wait for a connection; for ever when it is not given.",
            ),
            key(
                "offline",
                WordOrTable(&["drop"], &[key("keep", Number(1, MOST_VALUES), Needed, "How many.")]),
                Default("{ keep = 1024 }"),
                "Only with `to`: what becomes of values while there is no connection. `\"drop\"` drops and counts them, \
                 `{ keep = N }` keeps the newest N and sends them in order.",
            ),
            key(
                "max_payload",
                Number(1, 268_435_455),
                Default("1048576"),
                "Only with `to`: the largest payload in bytes. A larger one is counted as failed.",
            ),
        ]),
        says: "Ties a record to an address outside: `from` it, or `to` it.",
    },
    Section {
        name: "namespace",
        several: true,
        keys: Some(&[
            key("name", Text, Needed, "Its name, as `keep` of a record and `anabranch put` have it."),
            key(
                "retention",
                WordOrTable(&["all"], RETENTION),
                Default("\"all\""),
                "Which versions of each of its keys are kept. The newest always is. Of those that are dropped a digest is left, so \
                 that `anabranch verify` still proves the others.",
            ),
        ]),
        says: "A namespace of the store. One that has no section keeps all.",
    },
    Section { name: "query", several: true, keys: None, says: "A continuous query." },
    Section { name: "reaction", several: true, keys: None, says: "What is done with a query's changes." },
];

/// The kinds of buffers.
pub const KINDS: &[&str] = &["spmc-ring", "single-latest", "mailbox", "queue"];

const BUFFER: &[Key] = &[
    key(
        "kind",
        Word(KINDS),
        Needed,
        "`spmc-ring`: every reader sees every value, a slow one is told how many it missed. `single-latest`: the newest \
         value. `mailbox`: one reader takes each value, the newest replaces. `queue`: none is lost, writers wait.",
    ),
    key(
        "capacity",
        Number(1, MOST_VALUES),
        Nothing,
        "How many values it holds. Needed by `spmc-ring` and `queue`, which alone have it.",
    ),
    key(
        "consumers",
        Number(1, 65_535),
        Default("1"),
        "Only `queue`: how many readers it waits for. Each link `to` is one.",
    ),
];

const BACKOFF: &[Key] = &[
    key("first", Time, Default("\"100ms\""), "The first."),
    key("longest", Time, Default("\"60s\""), "The longest, and the one after a refusal that only a person can mend."),
];

const WILL: &[Key] = &[
    key("topic", Text, Needed, "Where to."),
    key("payload", AnyText, Default("\"\""), "What."),
    key("qos", Number(0, 2), Default("0"), "0 at most once, 1 at least once, 2 exactly once."),
    key("retain", Flag, Default("false"), "Whether the peer keeps it for those who come later."),
];

const RETENTION: &[Key] = &[
    key("last", Number(1, i64::MAX), Nothing, "The newest so many. There is either this or `for`."),
    key(
        "for",
        Time,
        Nothing,
        "Those that were the newest at some moment of so long a time before now: each such moment can be asked for.",
    ),
];

const KEEP: &[Key] = &[
    key("namespace", Text, Needed, "The namespace."),
    key(
        "key",
        Text,
        Nothing,
        "The key, in which each `{field}` is filled in from the value; `{a.b}` is a field of a field. The record's name when it \
         is not given.",
    ),
];

/// A section by its name.
pub fn section(name: &str) -> Option<&'static Section> {
    SECTIONS.iter().find(|section| section.name == name)
}

impl Section {
    /// As it stands in a file: `[node]`, `[[record]]`.
    pub fn heading(&self) -> String {
        if self.several { format!("[[{}]]", self.name) } else { format!("[{}]", self.name) }
    }
}

impl Takes {
    /// For people: "a whole number from 0 to 2".
    pub fn in_words(&self) -> String {
        match self {
            Text | AnyText => "a text in quotes".into(),
            Path => "a path in quotes".into(),
            Word(words) => one_of(words),
            Number(least, most) => format!("a whole number from {least} to {most}"),
            Flag => "true or false".into(),
            Time => "a time with its unit in quotes, as \"250ms\", \"10s\", \"5min\", \"1h\" or \"7d\"".into(),
            Table(keys) => table(keys),
            WordOrTable(words, keys) => format!("{} or {}", one_of(words), table(keys)),
        }
    }
}

fn one_of(words: &[&str]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("\"{word}\"")).collect();
    match quoted.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        _ => quoted.concat(),
    }
}

fn table(keys: &[Key]) -> String {
    let names: Vec<String> = keys.iter().map(|key| format!("{} = …", key.name)).collect();
    format!("a table, as {{ {} }}", names.join(", "))
}
