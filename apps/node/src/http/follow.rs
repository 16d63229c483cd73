//! What is written to a namespace, as Server-Sent Events: `value` with the version's id, and `closed` when the node ends.

use super::{
    Answer, Ending, Lent,
    events::{self, WAITING, event},
};
use crate::shown::Version;
use anabranch::store::{KeyedVersion, StoreError, Subscription};
use hyper::body::Bytes;
use std::{
    sync::Arc,
    task::{Wake, Waker},
};
use tokio::sync::{
    Notify,
    mpsc::{Sender, channel},
};

/// How many versions are read at once.
const PAGE: usize = 64;

pub(super) fn answer(store: Lent, versions: Subscription, ending: Ending) -> Answer {
    let (sender, receiver) = channel(WAITING);
    tokio::spawn(async move {
        follow(versions, sender, ending).await;
        // The subscription had the store, too.
        drop(store);
    });
    events::body(receiver)
}

/// Ends when the node does, or nobody reads any more.
async fn follow(mut versions: Subscription, to: Sender<Bytes>, mut ending: Ending) {
    let written = Arc::new(Written(Notify::new()));
    let waker = Waker::from(written.clone());
    // The sender says nothing but that it has gone.
    while ending.has_changed().is_ok() {
        versions.wake_by(&waker);
        // It may wait for the disk.
        let read = tokio::task::spawn_blocking(move || {
            let page = page(&mut versions);
            (versions, page)
        });
        let Ok((back, page)) = read.await else { return };
        versions = back;
        let page = match page {
            Ok(page) => page,
            Err(error) => {
                tracing::warn!("what is written cannot be followed any more: {error}");
                break;
            }
        };
        if page.is_empty() {
            tokio::select! {
                () = to.closed() => return,
                _ = ending.changed() => break,
                () = written.0.notified() => continue,
            }
        }
        for version in page {
            let id = version.version.version_id;
            if to.send(event("value", Some(&id), &Version::from(version))).await.is_err() {
                return;
            }
        }
    }
    // Whoever has left needs no farewell.
    let _ = to.send(event("closed", None, &())).await;
}

fn page(versions: &mut Subscription) -> Result<Vec<KeyedVersion>, StoreError> {
    let mut page = Vec::new();
    while page.len() < PAGE
        && let Some(version) = versions.try_next()?
    {
        page.push(version);
    }
    Ok(page)
}

/// Something was written.
struct Written(Notify);

impl Wake for Written {
    fn wake(self: Arc<Self>) {
        self.0.notify_one();
    }
}
