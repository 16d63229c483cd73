//! What a node shows and takes over its socket.

mod common;

use anabranch_node::{Client, ClientError, Event, NodeError, SocketError};
use common::node;
use serde_json::{Value, json};
use std::{
    fs,
    future::Future,
    ops::Deref,
    os::unix::{fs::PermissionsExt, net::UnixListener},
    path::Path,
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixStream,
};

/// A node that runs in a directory of its own.
struct Running {
    running: common::Running,
    _directory: TempDir,
}

impl Deref for Running {
    type Target = common::Running;

    fn deref(&self) -> &common::Running {
        &self.running
    }
}

impl Running {
    async fn start(records: &str) -> Self {
        let directory = tempfile::tempdir().expect("there is room");
        let running = common::Running::start(node(directory.path(), records).await, directory.path()).await;
        Running { running, _directory: directory }
    }

    async fn get(&self, path: &str) -> Value {
        serde_json::from_slice(&self.client.get(path).await.expect(path)).expect("it is JSON")
    }

    async fn put(&self, record: &str, value: Value) -> Value {
        let answer = self.client.put(record, value.to_string()).await.expect(record);
        serde_json::from_slice(&answer).expect("it is JSON")
    }

    async fn end(self) {
        self.running.end().await;
    }
}

/// The status and the code that a request is refused with.
async fn refused<T: std::fmt::Debug>(request: impl Future<Output = Result<T, ClientError>>) -> (u16, String) {
    match request.await {
        Err(ClientError::Refused { status, code, .. }) => (status, code),
        other => panic!("it is not refused: {other:?}"),
    }
}

fn code(status: u16, code: &str) -> (u16, String) {
    (status, code.into())
}

const RECORDS: &str = "
    [[record]]
    name = 'ring'
    buffer = { kind = 'spmc-ring', capacity = 2 }
    [[record]]
    name = 'plant/latest'
    buffer = { kind = 'single-latest' }
    [[record]]
    name = 'mailbox'
    buffer = { kind = 'mailbox' }
    [[record]]
    name = 'queue'
    buffer = { kind = 'queue', capacity = 1 }
";

#[tokio::test]
async fn the_newest_value_is_shown_with_its_number() {
    let node = Running::start(RECORDS).await;
    for record in ["ring", "plant/latest"] {
        let path = format!("/v1/records/{record}");
        assert_eq!(refused(node.client.get(&path)).await, code(404, "NO_VALUE_YET"));
        // More than the ring holds: what it has let go is not counted as lost by anybody.
        for n in 0..5 {
            assert_eq!(node.put(record, json!({ "n": n })).await, json!({ "record": record, "sequence": n }));
        }
        assert_eq!(node.get(&path).await, json!({ "record": record, "sequence": 4, "value": { "n": 4 } }));
        assert_eq!(node.get(&path).await["sequence"], 4, "looking takes nothing");
    }
    let stats = node.get("/v1/stats").await;
    let ring = stats["records"].as_array().and_then(|all| all.iter().find(|record| record["name"] == "ring"));
    let ring = ring.expect("it is there");
    assert_eq!((&ring["produced"], &ring["lost"], &ring["consumers"]), (&json!(5), &json!(0), &json!(0)), "{ring}");
    node.end().await;
}

#[tokio::test]
async fn what_is_asked_wrongly_has_a_code_and_a_way_out() {
    let link = "
        [[connector]]
        url = 'mqtt://127.0.0.1:1'
        [[record]]
        name = 'linked'
        buffer = { kind = 'single-latest' }
        [[link]]
        record = 'linked'
        from = 'mqtt://linked'
    ";
    let node = Running::start(&format!("{RECORDS}{link}")).await;
    let client = &node.client;
    assert_eq!(refused(client.get("/v1/records/rung")).await, code(404, "RECORD_NOT_FOUND"));
    assert_eq!(refused(client.watch("rung")).await, code(404, "RECORD_NOT_FOUND"));
    assert_eq!(refused(client.put("rung", "1")).await, code(404, "RECORD_NOT_FOUND"));
    assert_eq!(refused(client.get("/v1/records/mailbox")).await, code(409, "RECORD_HAS_NO_NEWEST"));
    assert_eq!(refused(client.put("linked", "1")).await, code(409, "NOT_SHARED"));
    assert_eq!(refused(client.put("ring", "{")).await, code(400, "INVALID_JSON"));
    assert_eq!(refused(client.put("ring", vec![b' '; 1 << 21])).await, code(413, "BODY_TOO_LARGE"));
    assert_eq!(refused(client.put("ring/events", "1")).await, code(404, "RECORD_NOT_FOUND"));
    assert_eq!(refused(client.get("/v2")).await, code(404, "ROUTE_NOT_FOUND"));
    node.put("queue", json!(1)).await;
    assert_eq!(refused(client.put("queue", "2")).await, code(503, "QUEUE_FULL"));
    let error = client.get("/v1/records/rung").await.expect_err("it is not there");
    assert_eq!(error.to_string(), "there is no record \"rung\": did you mean \"ring\"?");
    node.end().await;
}

#[tokio::test]
async fn a_problem_is_a_document() {
    let node = Running::start(RECORDS).await;
    let mut socket = UnixStream::connect(node.client.data().join("node.sock")).await.expect("it listens");
    let request = b"DELETE /v1/records/ring HTTP/1.1\r\nhost: node\r\nconnection: close\r\n\r\n";
    socket.write_all(request).await.expect("it reads");
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await.expect("it answers");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
    assert!(head.starts_with("HTTP/1.1 405 ") && head.contains("\r\nallow: GET, PUT\r\n"), "{head}");
    assert!(head.contains("\r\ncontent-type: application/problem+json\r\n"), "{head}");
    let problem: Value = serde_json::from_str(body).expect("it is JSON");
    assert_eq!(problem["type"], "urn:anabranch:problem:method-not-allowed");
    assert_eq!((&problem["status"], &problem["code"]), (&json!(405), &json!("METHOD_NOT_ALLOWED")));
    assert!(problem["title"].is_string() && problem["detail"].is_string(), "{problem}");
    node.end().await;
}

/// What the node answers on a connection of its own: the head and the body.
async fn asked(node: &Running, request: &str, body: &str) -> (String, Value) {
    let mut socket = UnixStream::connect(node.client.data().join("node.sock")).await.expect("it listens");
    let length = body.len();
    let head = format!("{request}\r\nhost: node\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}");
    socket.write_all(head.as_bytes()).await.expect("it reads");
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await.expect("it answers");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
    (head.to_owned(), serde_json::from_str(body).expect("it is JSON"))
}

#[tokio::test]
async fn a_version_s_id_is_its_tag_and_a_write_compares_with_it() {
    let node = Running::start(RECORDS).await;
    let key = "/v1/store/rooms/kit%2Fchen";
    let (head, first) = asked(&node, &format!("PUT {key} HTTP/1.1\r\nif-none-match: *"), "21.5").await;
    let id = first["versionId"].as_str().expect("it has one").to_owned();
    assert!(head.starts_with("HTTP/1.1 200 ") && head.contains(&format!("\r\netag: \"{id}\"\r\n")), "{head}");
    assert_eq!((&first["key"], &first["value"]), (&json!("kit/chen"), &json!(21.5)));
    let compared = format!("PUT {key} HTTP/1.1\r\nif-match: \"{id}\"");
    let (_, second) = asked(&node, &compared, "22").await;
    assert_eq!(second["previousVersion"], id.as_str());
    let (head, problem) = asked(&node, &compared, "23").await;
    assert!(head.starts_with("HTTP/1.1 412 ") && problem["code"] == "CONFLICT", "{problem}");
    assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains("is now at version")), "{problem}");
    let (_, then) = asked(&node, &format!("GET {key}?version={id} HTTP/1.1"), "").await;
    assert_eq!(then, first);
    let (_, page) = asked(&node, &format!("GET {key}/history?limit=1 HTTP/1.1"), "").await;
    assert_eq!((&page["items"], &page["next"]), (&json!([second]), &second["timestamp"]));
    let rest = format!("GET {key}/history?before={} HTTP/1.1", page["next"].as_str().expect("there is more"));
    assert_eq!(asked(&node, &rest, "").await.1, json!({ "items": [first] }));
    let batch = r#"[{"namespace":"rooms","key":"a","value":1,"ifAbsent":true},{"namespace":"b","key":"c","value":[]}]"#;
    let (_, page) = asked(&node, "POST /v1/store:batch HTTP/1.1", batch).await;
    assert_eq!((&page["items"][0]["key"], &page["items"][1]["value"]), (&json!("a"), &json!([])));
    let (head, problem) = asked(&node, "POST /v1/store:batch HTTP/1.1", batch).await;
    assert!(head.starts_with("HTTP/1.1 412 ") && problem["code"] == "CONFLICT", "{problem}");
    for wrong in ["{}", r#"[{"namespace":"a","key":"b"}]"#, r#"[{"namespace":"a","key":"b","valeu":1}]"#] {
        let (_, problem) = asked(&node, "POST /v1/store:batch HTTP/1.1", wrong).await;
        assert_eq!((&problem["status"], &problem["code"]), (&json!(400), &json!("INVALID_BATCH")), "{wrong}");
    }
    for (request, status, code) in [
        (format!("GET {key}?when=now HTTP/1.1"), 400, "INVALID_PARAMETER"),
        (format!("GET {key}?at=yesterday HTTP/1.1"), 400, "INVALID_PARAMETER"),
        (format!("PUT {key} HTTP/1.1\r\nif-match: \"17\""), 400, "INVALID_PARAMETER"),
        (format!("PUT {key} HTTP/1.1\r\nif-none-match: \"{id}\""), 400, "INVALID_PARAMETER"),
        (format!("PUT {key} HTTP/1.1"), 400, "INVALID_JSON"),
        (format!("POST {key} HTTP/1.1"), 405, "METHOD_NOT_ALLOWED"),
        ("GET /v1/store/rooms/hall HTTP/1.1".into(), 404, "KEY_NOT_FOUND"),
        ("GET /v1/store/rooms?limit=0 HTTP/1.1".into(), 400, "NO_LIMIT"),
        ("DELETE /v1/store/rooms/hall HTTP/1.1".into(), 404, "KEY_NOT_FOUND"),
    ] {
        let (head, problem) = asked(&node, &request, "").await;
        assert!(head.contains("\r\ncontent-type: application/problem+json\r\n"), "{request}: {head}");
        assert_eq!((&problem["status"], &problem["code"]), (&json!(status), &json!(code)), "{request}: {problem}");
    }
    node.end().await;
}

#[tokio::test]
async fn a_latest_is_followed_from_its_current_value_and_others_from_now_on() {
    let node = Running::start(RECORDS).await;
    for record in ["ring", "plant/latest"] {
        node.put(record, json!("before")).await;
    }
    let mut ring = node.client.watch("ring").await.expect("it is there");
    let mut latest = node.client.watch("plant/latest").await.expect("it is there");
    let current = object(latest.next().await);
    assert_eq!((&current["sequence"], &current["value"]), (&json!(0), &json!("before")));
    for (record, watch) in [("ring", &mut ring), ("plant/latest", &mut latest)] {
        node.put(record, json!("after")).await;
        let seen = object(watch.next().await);
        assert_eq!((&seen["record"], &seen["sequence"], &seen["value"]), (&json!(record), &json!(1), &json!("after")));
        let time = seen["time"].as_str().expect("a time");
        assert_eq!((time.len(), &time[10..11], &time[29..]), ("2026-01-31T08:05:09.123456789Z".len(), "T", "Z"));
    }
    // The node ends, and says so to those who follow.
    let (end, last) = tokio::join!(node.end(), ring.next());
    assert_eq!((end, last.expect("it says goodbye")), ((), None));
}

#[tokio::test]
async fn each_value_of_a_queue_goes_to_who_follows_it_and_there_is_one_place() {
    let node = Running::start(RECORDS).await;
    let mut first = node.client.watch("queue").await.expect("it is there");
    assert_eq!(refused(node.client.watch("queue")).await, code(409, "RECORD_TAKEN"));
    for n in 0..3 {
        node.put("queue", json!(n)).await;
        assert_eq!(object(first.next().await)["value"], n);
    }
    node.end().await;
}

#[tokio::test]
async fn who_reads_too_slowly_is_told_how_much_was_missed() {
    let node = Running::start(RECORDS).await;
    let mut slow = node.client.watch("ring").await.expect("it is there");
    // More than the socket and the node hold for a reader.
    let large = "x".repeat(500_000);
    for _ in 0..40 {
        node.put("ring", json!(large)).await;
    }
    let (mut values, mut missed) = (0, 0);
    while values + missed < 40 {
        match slow.next().await.expect("it goes on").expect("it goes on") {
            Event::Value(_) => values += 1,
            Event::Lagged(object) => {
                missed += serde_json::from_str::<Value>(&object).unwrap()["missed"].as_u64().unwrap();
            }
        }
    }
    assert!(missed > 0 && values > 2, "{values} seen, {missed} missed");
    node.end().await;
}

fn object(event: Result<Option<Event>, ClientError>) -> Value {
    match event {
        Ok(Some(Event::Value(object))) => serde_json::from_str(&object).expect("it is JSON"),
        other => panic!("no value: {other:?}"),
    }
}

#[tokio::test]
async fn a_directory_is_one_node_s_and_its_socket_one_user_s() {
    let node = Running::start(RECORDS).await;
    let data = node.client.data().to_path_buf();
    let mode = |path: &Path| fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
    assert_eq!((mode(&data), mode(&data.join("node.sock"))), (0o700, 0o600));
    let parent = data.parent().expect("it is in one");
    let second = self::node(parent, RECORDS).await.run(std::future::pending()).await;
    assert!(matches!(second, Err(NodeError::Socket(SocketError::Taken(_)))), "{second:?}");
    node.end().await;
    assert!(!data.join("node.sock").exists());
}

#[tokio::test]
async fn a_socket_that_was_left_behind_is_taken_over_and_one_that_answers_is_not() {
    let directory = tempfile::tempdir().expect("there is room");
    let data = directory.path().join("data");
    fs::create_dir(&data).expect("there is room");
    let other = UnixListener::bind(data.join("node.sock")).expect("it is free");
    let refused = node(directory.path(), "").await.run(std::future::pending()).await;
    assert!(matches!(refused, Err(NodeError::Socket(SocketError::Taken(_)))), "{refused:?}");
    // As after a crash: the file stays, and nobody listens.
    drop(other);
    assert!(data.join("node.sock").exists());
    node(directory.path(), "").await.run(std::future::ready(())).await.expect("it is taken over");
}

#[tokio::test]
async fn a_directory_that_cannot_be_had_says_what_to_do() {
    let directory = tempfile::tempdir().expect("there is room");
    fs::write(directory.path().join("data"), "a file").expect("there is room");
    let error = node(directory.path(), "").await.run(std::future::ready(())).await.expect_err("it is a file");
    assert!(error.to_string().contains("set another `data`"), "{error}");
    let deep = directory.path().join("x".repeat(120));
    fs::create_dir(&deep).expect("there is room");
    let error = node(&deep, "").await.run(std::future::ready(())).await.expect_err("it is too long");
    assert!(error.to_string().contains("a shorter path"), "{error}");
    let error = Client::of(&deep).watch("x").await.expect_err("there is none");
    assert!(error.to_string().contains("anabranch run"), "{error}");
}
