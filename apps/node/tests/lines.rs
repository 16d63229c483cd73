//! Writes that come one a line, many under way at once; and a check that says how far it is.

mod common;

use anabranch::store::{Durability, Store, Write};
use anabranch_node::ClientError;
use anabranch_value::value;
use common::{LONG, Running, node};
use tempfile::TempDir;
use tokio::{
    sync::mpsc::{self, Sender, error::TrySendError},
    time::timeout,
};

/// A node that runs in a directory of its own, and its store.
struct Kept {
    store: Store,
    running: Running,
    _place: TempDir,
}

impl Kept {
    async fn start() -> Self {
        let place = tempfile::tempdir().expect("there is room");
        let mut node = node(place.path(), "").await;
        let store = node.open().await.expect("it can be opened").expect("it has one").clone();
        let running = Running::start(node, place.path()).await;
        Kept { store, running, _place: place }
    }
}

fn send(sender: Sender<Write>, writes: impl Iterator<Item = Write> + Send + 'static) {
    tokio::spawn(async move {
        for write in writes {
            if sender.send(write).await.is_err() {
                return;
            }
        }
    });
}

#[tokio::test]
async fn many_are_under_way_at_once_share_their_commits_and_are_told_in_order() {
    let node = Kept::start().await;
    let before = node.store.stats().expect("it can be read").commits;
    let (sender, writes) = mpsc::channel(16);
    let key = |number: i64| if number % 2 == 0 { "same".to_owned() } else { format!("key/{number}") };
    send(sender, (0..2000).map(move |number| Write::put("readings", key(number), number)));
    let mut written = node.running.client.store().write_each(writes).await.expect("it takes them");
    let mut previous = None;
    for number in 0..2000_i64 {
        let version = timeout(LONG, written.next()).await.expect("it comes").expect("it is written").expect("one more");
        assert_eq!((&*version.key, &version.value), (&*key(number), &Some(number.into())));
        if number % 2 == 0 {
            assert_eq!(version.previous_version, previous);
            previous = Some(version.version_id);
        }
    }
    assert_eq!(written.next().await.expect("it ends well"), None);
    let commits = node.store.stats().expect("it can be read").commits - before;
    assert!(commits <= 2000 / 4, "{commits} commits");
    node.running.end().await;
}

#[tokio::test]
async fn each_is_told_once_it_is_durable_whether_or_not_another_comes() {
    let node = Kept::start().await;
    let (sender, writes) = mpsc::channel(1);
    let mut written = node.running.client.store().write_each(writes).await.expect("it takes them");
    for number in 0..3 {
        sender.send(Write::put("a", "k", number)).await.expect("it is taken");
        let version = timeout(LONG, written.next()).await.expect("it comes").expect("it is written").expect("one more");
        assert_eq!(node.store.get("a", "k").expect("it is there").version_id, version.version_id);
    }
    // A node that ends takes no more, and says nothing that it has not done.
    let Kept { running: Running { end, ended, .. }, store, .. } = node;
    drop(end);
    match timeout(LONG, written.next()).await.expect("it comes") {
        Err(ClientError::Gone { .. }) => {}
        other => panic!("{other:?}"),
    }
    assert!(matches!(sender.try_send(Write::put("a", "k", 3)), Ok(()) | Err(TrySendError::Closed(_))));
    timeout(LONG, ended).await.expect("it ends").expect("it does not panic").expect("it ends well");
    assert_eq!(store.get("a", "k").expect("it is there").value, 2.into());
}

#[tokio::test]
async fn one_that_is_wrong_ends_them_and_those_before_are_safe() {
    let node = Kept::start().await;
    let (sender, writes) = mpsc::channel(16);
    let wrong = Write::put("a", "", 1);
    send(sender, [Write::put("a", "k", 0), wrong, Write::put("a", "later", 2)].into_iter());
    let mut written = node.running.client.store().write_each(writes).await.expect("it takes them");
    assert_eq!(written.next().await.expect("it is written").expect("the first").value, Some(value!(0)));
    match written.next().await {
        Err(ClientError::Refused { status: 400, code, .. }) if code == "INVALID_NAME" => {}
        other => panic!("{other:?}"),
    }
    assert_eq!(node.store.get("a", "k").expect("it is there").value, 0.into());
    node.running.end().await;
}

#[tokio::test]
async fn a_check_says_how_far_it_is() {
    let node = Kept::start().await;
    let relaxed = node.store.with_durability(Durability::Relaxed);
    for number in 0..5000 {
        relaxed.put("readings", &format!("{}", number % 7), number).expect("it is written");
    }
    let mut told = Vec::new();
    let verified = node.running.client.store().verify(&mut |checked| told.push(checked)).await.expect("it answers");
    assert_eq!((verified.versions, verified.keys, verified.damages.len()), (5000, 7, 0));
    assert!(!told.is_empty() && told.is_sorted() && told.iter().all(|checked| *checked <= 5000), "{told:?}");
    node.running.end().await;
}
