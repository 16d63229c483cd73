//! `watch NS[/PREFIX]`: what was written, and then what is being written.

use std::path::PathBuf;

use anabranch::store::{Moment, Start};
use anabranch_node::{Client, ClientError, Event, shown::Version};

use super::{people::Shower, place::Place};
use crate::{failure::Failure, tell};

/// What is to be followed.
#[derive(Debug)]
pub struct Following {
    pub data: PathBuf,
    pub namespace: String,
    pub prefix: String,
    /// From now on without it.
    pub from: Option<Moment>,
    pub json: bool,
    pub limit: Option<u64>,
}

/// Follows until the limit is reached or the node ends; where none runs, until all is told that was written.
pub async fn follow(following: Following) -> Result<(), Failure> {
    let client = Client::of(&following.data);
    if client.is_running() { of_node(following, &client).await } else { own(following) }
}

/// Whether a node's store has keys of a namespace.
pub async fn has_namespace(client: &Client, following: &Following) -> bool {
    let keys = client.store().keys(&following.namespace, "", None, None, 1).await;
    keys.is_ok_and(|page| !page.items.is_empty() || page.next.is_some())
}

async fn of_node(following: Following, client: &Client) -> Result<(), Failure> {
    let Following { data, namespace, prefix, from, json, limit } = following;
    let mut versions = client.store().watch(&namespace, &prefix, from).await?;
    tell(format_args!("watching {namespace:?} in the store of the node on {}", data.display()));
    let mut shower = Shower::of(&Place { data, json }).for_programs();
    let mut left = limit;
    while left != Some(0) {
        let Some(event) = versions.next().await? else {
            tell("the node has ended");
            break;
        };
        let (Event::Value(object) | Event::Lagged(object)) = event;
        let version: Version = serde_json::from_str(&object).map_err(Failure::Shown)?;
        shower.show_now(&version)?;
        left = left.map(|left| left - 1);
    }
    shower.end()
}

fn own(following: Following) -> Result<(), Failure> {
    let Following { data, namespace, prefix, from, json, limit } = following;
    let from = match from {
        Some(Moment::At(at)) => Start::At(at),
        Some(Moment::Version(version)) => Start::After(version),
        // Nobody will write.
        None => return Err(ClientError::NotRunning(data).into()),
    };
    let place = Place { data, json };
    let store = place.open_own()?;
    let mut versions = store.subscribe(&namespace, &prefix, from)?;
    let mut shower = Shower::of(&place).for_programs();
    let mut left = limit;
    while left != Some(0) {
        let Some(version) = versions.try_next()? else {
            // This process has the store open, so nobody else writes.
            let data = place.data.display();
            tell(format_args!("note: that is all, as no node runs on {data}: `anabranch run` starts one"));
            break;
        };
        shower.show_now(&version.into())?;
        left = left.map(|left| left - 1);
    }
    shower.end()
}
