//! What is wrong with a config is said all at once: where, what, and what to do.

use anabranch::TokioAdapter;
use anabranch_node::{Config, Fault, Node, Place};
use std::{fs, path::Path};

/// What a node is made of.
const GOOD: &str = r#"
[[connector]]
url = "mqtt://127.0.0.1:1"

[[record]]
name = "temperature"
buffer = { kind = "spmc-ring", capacity = 64 }

[[link]]
record = "temperature"
from = "mqtt://sensors/{device}/temp"
"#;

async fn node(text: &str) -> Result<Node, Vec<Fault>> {
    let config = Config::parse(Path::new("anabranch.toml"), text);
    Node::from_config(config, TokioAdapter::current().expect("this runs on Tokio")).await.map_err(|wrong| wrong.faults)
}

/// The faults of a good config of which `old` is replaced.
async fn faults_with(old: &str, new: &str) -> Vec<Fault> {
    assert!(GOOD.contains(old), "{old}");
    node(&GOOD.replace(old, new)).await.expect_err(new)
}

/// Compares with what was said before. `ANABRANCH_BLESS=1 cargo test` takes what is said now; look at it.
fn compare(file: &Path, said: &str) {
    if std::env::var_os("ANABRANCH_BLESS").is_some() {
        fs::write(file, said).expect("it can be written");
    }
    let before = fs::read_to_string(file).unwrap_or_default();
    assert_eq!(said, before, "{} says otherwise; if that is meant, run with ANABRANCH_BLESS=1", file.display());
}

#[tokio::test]
async fn everything_that_is_wrong_is_said_at_once() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/configs");
    let text = fs::read_to_string(folder.join("wrong.toml")).expect("it is there");
    // Beside the file nothing is found; the name is that of no machine.
    let config = Config::parse(Path::new("wrong.toml"), &text);
    let faults = Node::from_config(config, TokioAdapter::current().unwrap()).await.expect_err("it is wrong");
    compare(&folder.join("wrong.txt"), &format!("{faults}\n"));
}

#[tokio::test]
async fn what_is_wrong_is_said_once_and_not_again_where_it_is_named() {
    for (old, new) in [
        ("[[connector]]", "[[conector]]"),
        ("[[record]]", "[[recrod]]"),
        ("mqtt://127", "coap://127"),
        ("url =", "name = 'a/b'\nurl ="),
        ("url =", "ulr ="),
    ] {
        let faults = faults_with(old, new).await;
        assert_eq!(faults.len(), 1, "{new}: {faults:#?}");
    }
    // What is wrong in any case is said, too.
    let text = GOOD.replace("mqtt://127", "coap://127").replace("mqtt://sensors", "sensors");
    let faults = node(&text).await.expect_err("it is wrong");
    assert_eq!(faults.len(), 2, "{faults:#?}");
}

#[test]
fn a_folder_is_no_config_and_the_file_in_it_is_asked_for() {
    let error = Config::read(Path::new(env!("CARGO_MANIFEST_DIR"))).expect_err("it is a folder");
    assert!(error.to_string().ends_with("name the file in it"), "{error}");
}

#[test]
fn the_reference_page_is_that_of_the_code() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/guide/config.md");
    compare(&page, &anabranch_node::reference_page());
}

#[tokio::test]
async fn a_good_config_is_a_node() {
    let node = node(GOOD).await.expect("it is good");
    let graph = node.graph();
    assert_eq!((graph.records.len(), graph.inbound.len()), (1, 1));
    assert_eq!(node.socket(), None);
}

#[tokio::test]
async fn each_fault_has_its_place_its_key_and_a_way_out() {
    let cases = [
        // an unknown key, and a known one in another section
        ("capacity", "capactiy", "[[record]] buffer capactiy", "did you mean `capacity`?"),
        ("name =", "format = 'json'\nname =", "[[record]] format", "this key belongs to [[link]]"),
        // a wrong type
        ("64", "'many'", "[[record]] buffer capacity", "\"many\" is not a whole number from 1 to"),
        ("64", "0", "[[record]] buffer capacity", "0 is not a whole number from 1 to"),
        ("\"spmc-ring\"", "\"spmc\"", "[[record]] buffer kind", "\"spmc\" is not \"spmc-ring\""),
        ("\"temperature\"", "7", "[[record]] name", "7 is not a text in quotes"),
        // an unknown scheme
        ("mqtt://127", "coap://127", "[[connector]] url", "begins with mqtt:// or mqtts://"),
        ("mqtt://sensors", "coap://sensors", "[[link]] from", "\"coap\" is no scheme that is spoken here"),
        // wildcards in wrong places
        ("{device}/temp", "#/temp", "[[link]] from", "`#` stands before the end"),
        ("{device}", "x{device}", "[[link]] from", "is a whole level between `/`"),
        ("from = \"mqtt://sensors/{device}", "to = \"mqtt://sensors/+", "[[link]] to", "cannot be published to"),
        ("/{device}/", "/{device}/{device}/", "[[link]] from", "stands there twice"),
        // a link without a connector
        (
            "url = \"mqtt://127.0.0.1:1\"",
            "url = \"mqtt://127.0.0.1:1\"\nname = 'a'\n[[connector]]\nurl = 'mqtt://b'\nname = 'b'",
            "[[link]] from",
            "write mqtt+a://sensors/{device}/temp or mqtt+b://",
        ),
        (
            "\"mqtt://sensors",
            "\"mqtt+plant://sensors",
            "[[link]] from",
            "no connector has the scheme \"mqtt+plant\": there are mqtt://",
        ),
        ("[[connector]]\nurl = \"mqtt://127.0.0.1:1\"", "", "[[link]] from", "add a [[connector]] for it"),
        // files that cannot be read
        ("url =", "ca = 'no-such.pem'\nurl =", "[[connector]] ca", "no-such.pem cannot be read"),
        (
            "url =",
            "user = 'me'\npassword_file = 'no-such'\nurl =",
            "[[connector]] password_file",
            "no-such cannot be read",
        ),
        // sections in another form
        ("[[record]]", "[record]", "[record]", "write [[record]]"),
        ("[[link]]", "[[links]]", "links", "did you mean [[link]]?"),
        (
            "mqtt://127.0.0.1:1",
            "mqtts://127.0.0.1\"\nca = \"Cargo.toml",
            "[[connector]] ca",
            "the CA holds no certificate in PEM",
        ),
        (
            "mqtt://127.0.0.1:1",
            "mqtt://127.0.0.1:1\"\nca = \"Cargo.toml",
            "[[connector]] ca",
            "write `mqtts://…` in `url`, or leave this out",
        ),
        // what the protocol does not allow
        ("mqtt://127.0.0.1:1", "mqtt://127.0.0.1:0", "[[connector]] url", "its port is no number"),
        ("url =", "version = '3.1.1'\nurl =", "[[connector]] client_id", "MQTT 3.1.1 needs a `client_id`"),
        ("url =", "receive_maximum = 0\nurl =", "[[connector]] receive_maximum", "a whole number from 1 to 65535"),
        ("url =", "outbox_bytes = 512\nurl =", "[[connector]] outbox_bytes", "a whole number from 1024 to"),
        ("url =", "backoff = '1s'\nurl =", "[[connector]] backoff", "is not a table, as { first = …, longest = … }"),
        ("url =", "backoff = { frist = '1s' }\nurl =", "[[connector]] backoff frist", "did you mean `first`?"),
        (
            "url =",
            "backoff = { first = '1s', longest = '10ms' }\nurl =",
            "[[connector]] backoff",
            "begins with zero, or with a longer pause than the longest",
        ),
        ("url =", "user = \"a\\u0000\"\npassword = 'b'\nurl =", "[[connector]] user", "holds a NUL"),
        ("url =", "will = { topic = 'a/+' }\nurl =", "[[connector]] will", "cannot be published to"),
        // what belongs together
        ("url =", "certificate = 'Cargo.toml'\nurl =", "[[connector]] certificate", "`key` is missing"),
        ("record = \"temperature\"", "record = \"temprature\"", "[[link]] record", "did you mean \"temperature\"?"),
        (
            "record = \"temperature\"",
            "record = \"temperature\"\nretain = true",
            "[[link]] retain",
            "for links with `to`",
        ),
    ];
    for (old, new, key, says) in cases {
        let faults = faults_with(old, new).await;
        let about = faults.iter().find(|fault| fault.key == key && fault.message.contains(says));
        assert!(about.is_some(), "{new}: {faults:#?}");
        let [Fault { place, .. }] = &*faults else { continue };
        let text = GOOD.replace(old, new);
        let line = text.lines().nth(place.line - 1).expect("the line is there");
        let name = key.rsplit(' ').next().expect("a key");
        assert!(line.contains(name) || line.starts_with('['), "{key}: {line}");
    }
}

#[tokio::test]
async fn two_writers_need_a_shared_record() {
    let other = "[[connector]]\nurl = 'mqtt://b'\nname = 'b'\n[[link]]\nrecord = 'temperature'\nfrom = 'mqtt+b://x'\n";
    let text = format!("{GOOD}{other}");
    let faults = node(&text).await.expect_err("two write");
    assert_eq!(faults.len(), 1, "{faults:?}");
    assert_eq!((faults[0].place, &*faults[0].key), (Place { line: 6, column: 1 }, "[[record]] name"));
    assert!(
        faults[0].message.contains("links from mqtt:// and links from mqtt+b://: set `shared = true`"),
        "{faults:?}"
    );
    node(&text.replace("name = \"temperature\"", "name = \"temperature\"\nshared = true")).await.expect("it is shared");
}

#[tokio::test]
async fn more_readers_than_a_queue_declares_say_how_many_there_are() {
    let to = "[[link]]\nrecord = 'temperature'\nto = 'mqtt://a'\n[[link]]\nrecord = 'temperature'\nto = 'mqtt://b'\n";
    let text = format!("{GOOD}{to}").replace("spmc-ring", "queue");
    let faults = node(&text).await.expect_err("two read");
    assert!(faults[0].message.ends_with("set `consumers = 2`"), "{faults:?}");
    node(&text.replace("capacity = 64", "capacity = 64, consumers = 2")).await.expect("there is a place for each");
}

#[tokio::test]
async fn what_is_no_toml_is_said_with_what_is_wrong_before_it() {
    let faults = node("[[record]]\nnam = 'a'\nbuffer = { kind = 'mailbox' }\n[node]\ndata = 7 8\nlissten = 1\n")
        .await
        .expect_err("a bracket is missing");
    assert_eq!(faults.len(), 2, "{faults:?}");
    assert_eq!(&*faults[0].key, "[[record]] nam");
    assert_eq!((faults[1].place.line, &*faults[1].key), (5, ""));
    assert!(faults[1].message.starts_with("this is not TOML"), "{faults:?}");
}

#[tokio::test]
async fn what_is_not_active_yet_is_accepted_and_said() {
    let text = format!("{GOOD}\n[node]\nlisten = '127.0.0.1:7340'\n[[query]]\nx = 1\n[[query]]\n[[reaction]]\n");
    let node = node(&text).await.expect("it is accepted");
    let mut later = node.not_active().to_vec();
    later.sort();
    assert_eq!(later, ["[[query]] (2 times)", "[[reaction]]", "[node] listen"]);
}

#[tokio::test]
async fn what_cannot_be_kept_is_said_where_it_stands() {
    let with = |keep: &str| {
        let kept = GOOD.replace("capacity = 64 }", &format!("capacity = 64 }}\nkeep = {keep}"));
        format!("[node]\ndata = 'data'\n{kept}")
    };
    for (keep, key, says) in [
        ("{ namespace = 'a', key = '{device' }", "[[record]] keep key", "is not closed"),
        ("{ namespace = 'a', key = '{a..b}' }", "[[record]] keep key", "is not a path"),
        ("{ key = 'a' }", "[[record]] keep namespace", "this key is missing"),
        ("{ namespace = 'a', ky = 'b' }", "[[record]] keep ky", "did you mean `key`?"),
        ("{ namespace = '' }", "[[record]] keep namespace", ""),
    ] {
        let faults = node(&with(keep)).await.expect_err(keep);
        assert_eq!(faults.len(), 1, "{faults:?}");
        assert_eq!((&*faults[0].key, faults[0].place.line), (key, 10), "{faults:?}");
        assert!(faults[0].message.contains(says), "{faults:?}");
    }
    node(&with("{ namespace = 'a', key = '{device}' }")).await.expect("it is good");
    node(&with("{ namespace = 'a' }")).await.expect("it is kept under its name");
    let homeless = with("{ namespace = 'a' }").replace("data = 'data'", "");
    let faults = node(&homeless).await.expect_err("there is no place");
    assert_eq!((faults.len(), &*faults[0].key), (1, "[[record]] keep"));
    assert!(faults[0].message.contains("set `data` in [node]"), "{faults:?}");
}

#[tokio::test]
async fn what_cannot_hold_for_the_store_is_said_where_it_stands() {
    let long = format!("name = '{}'", "n".repeat(300));
    let with = |node: &str, namespaces: &str| format!("[node]\ndata = 'data'\n{node}\n[[namespace]]\n{namespaces}\n");
    for (of_node, namespaces, key, line, says) in [
        ("", "nmae = 'a'", "[[namespace]] nmae", 5, "did you mean `name`?"),
        ("", "retention = 'all'", "[[namespace]] name", 4, "this key is missing"),
        ("", "name = 'a'\nretenton = 'all'", "[[namespace]] retenton", 6, "did you mean `retention`?"),
        ("", "name = 'a'\nretention = 'al'", "[[namespace]] retention", 6, "did you mean \"all\"?"),
        ("", "name = 'a'\nretention = 7", "[[namespace]] retention", 6, "7 is not \"all\" or a table"),
        ("", "name = 'a'\nretention = {}", "[[namespace]] retention", 6, "{ for = \"7d\" }"),
        ("", "name = 'a'\nretention = { lst = 3 }", "[[namespace]] retention lst", 6, "did you mean `last`?"),
        ("", "name = 'a'\nretention = { last = 0 }", "[[namespace]] retention last", 6, "from 1 to"),
        ("", "name = 'a'\nretention = { for = '7' }", "[[namespace]] retention for", 6, "a time with its unit"),
        ("", "name = 'a'\nretention = { last = 3, for = '7d' }", "[[namespace]] retention for", 6, "leave one of them"),
        ("", "name = 'a'\n[[namespace]]\nname = 'a'", "[[namespace]] name", 7, "\"a\" already"),
        ("", &long, "[[namespace]] name", 5, "it has 300 bytes, and 255 are the most"),
        ("hot_byte = 1", "name = 'a'", "[node] hot_byte", 3, "did you mean `hot_bytes`?"),
        ("hot_bytes = -1", "name = 'a'", "[node] hot_bytes", 3, "from 0 to"),
        ("warm_bytes = '1 GB'", "name = 'a'", "[node] warm_bytes", 3, "is not a whole number"),
        ("cold_after = 60", "name = 'a'", "[node] cold_after", 3, "a time with its unit"),
        ("maintain_every = '0s'", "name = 'a'", "[node] maintain_every", 3, "\"1ms\" or more"),
    ] {
        let faults = node(&with(of_node, namespaces)).await.expect_err(key);
        assert_eq!(faults.len(), 1, "{faults:?}");
        assert_eq!((&*faults[0].key, faults[0].place.line), (key, line), "{faults:?}");
        assert!(faults[0].message.contains(says), "{faults:?}");
    }
    let good = "name = 'a'\nretention = { last = 3 }\n[[namespace]]\nname = 'b'\nretention = { for = '7d' }\n[[namespace]]\nname = 'c'";
    let good = with("hot_bytes = 0\nwarm_bytes = 1000\ncold_after = '0s'\nmaintain_every = '1d'", good);
    let summary = node(&good).await.expect("it is good").summary().to_string();
    for line in
        ["keeps the newest 3 versions of each key", "keeps what was there within the last 7 d", "keeps all versions"]
    {
        assert!(summary.contains(line), "{summary}");
    }
    // Without a place to keep anything in, each of them is for nothing.
    let faults = node(&good.replace("data = 'data'", "")).await.expect_err("there is no place");
    let keys: Vec<&str> = faults.iter().map(|fault| &*fault.key).collect();
    let of_node = ["[node] hot_bytes", "[node] warm_bytes", "[node] cold_after", "[node] maintain_every"];
    assert_eq!((&keys[..4], &keys[4..]), (&of_node[..], &["[[namespace]] name"; 3][..]));
    assert!(faults.iter().all(|fault| fault.message.contains("set `data`")), "{faults:?}");
}

#[tokio::test]
async fn an_empty_file_is_a_node_that_does_nothing() {
    assert!(node("").await.is_ok());
}

/// The user and the password of the first connection that a node of this connector makes, in the words of MQTT.
async fn login(keys: &str, password_file: &[u8]) -> (Option<String>, Option<Vec<u8>>) {
    let place = tempfile::tempdir().expect("there is room");
    fs::write(place.path().join("password"), password_file).expect("there is room");
    let broker = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("there is a port");
    let url = format!("mqtt://old:secret@{}", broker.local_addr().expect("it has an address"));
    let text = format!("[[connector]]\nurl = '{url}'\nclient_id = 'c'\n{keys}\n");
    let config = Config::parse(&place.path().join("anabranch.toml"), &text);
    let runtime = TokioAdapter::current().expect("this runs on Tokio");
    let node = Node::from_config(config, runtime).await.unwrap_or_else(|faults| panic!("{faults}"));
    let (end, ended) = tokio::sync::oneshot::channel::<()>();
    let running = tokio::spawn(node.run(async { drop(ended.await) }));
    let (mut connection, _) = broker.accept().await.expect("it connects");
    let mut packet = vec![0; 512];
    let length = tokio::io::AsyncReadExt::read(&mut connection, &mut packet).await.expect("it says who it is");
    drop((connection, broker, end));
    running.await.expect("it does not panic").expect("nothing holds it up");
    // CONNECT, one byte of length, "MQTT", 5, flags, keep-alive, properties and their length, the client's name.
    assert_eq!((packet[0], &packet[4..9], usize::from(packet[1])), (0x10, &b"MQTT\x05"[..], length - 2));
    let flags = packet[9];
    let mut rest = &packet[13 + usize::from(packet[12])..length];
    let mut next = || {
        let (field, after) = rest[2..].split_at(usize::from(u16::from_be_bytes([rest[0], rest[1]])));
        rest = after;
        field.to_vec()
    };
    assert_eq!(next(), b"c");
    let user = (flags & 0x80 != 0).then(|| String::from_utf8(next()).expect("it is text"));
    (user, (flags & 0x40 != 0).then(&mut next))
}

#[tokio::test]
async fn a_user_without_a_password_sends_none_and_of_a_password_s_file_only_the_end_of_the_line_is_left_out() {
    let me = Some("m@: é".to_owned());
    assert_eq!(login("", b"").await, (Some("old".to_owned()), Some(b"secret".to_vec())));
    assert_eq!(login("user = 'm@: é'", b"").await, (me.clone(), None));
    assert_eq!(login("user = 'm@: é'\npassword = 'p'", b"").await, (me.clone(), Some(b"p".to_vec())));
    let from_file = "user = 'm@: é'\npassword_file = 'password'";
    for (file, password) in
        [("p ", "p "), ("p \t\n", "p \t"), ("p\r\n", "p"), ("p\n\n", "p\n"), ("p\r", "p\r"), ("", "")]
    {
        assert_eq!(login(from_file, file.as_bytes()).await, (me.clone(), Some(password.as_bytes().to_vec())));
    }
}
