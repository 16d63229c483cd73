//! `watch NS[/PREFIX]`: what was written, and then what is being written.

use std::path::PathBuf;

use anabranch::store::Start;
use anabranch_node::ClientError;

use super::{people::Shower, place::Place};
use crate::{failure::Failure, tell};

/// What is to be followed.
#[derive(Debug)]
pub struct Following {
    pub data: PathBuf,
    pub namespace: String,
    pub prefix: String,
    /// From now on without it.
    pub from: Option<Start>,
    pub json: bool,
    pub limit: Option<u64>,
}

/// Follows until the limit is reached, or all is told that was written while nobody else can write.
pub fn follow(following: Following) -> Result<(), Failure> {
    let Following { data, namespace, prefix, from, json, limit } = following;
    let place = Place { data, json };
    let store = place.open()?;
    let Some(from) = from else { return Err(ClientError::NotRunning(place.data).into()) };
    let mut versions = store.subscribe(&namespace, &prefix, from)?;
    let mut shower = Shower::of(&place).for_programs();
    let mut left = limit;
    while left != Some(0) {
        let Some(version) = versions.try_next()? else {
            // This process has the store open, so nobody else writes.
            tell(format_args!(
                "note: that is all, as no node runs on {}: `anabranch run` starts one",
                place.data.display()
            ));
            break;
        };
        shower.show_now(version)?;
        left = left.map(|left| left - 1);
    }
    shower.end()
}
