//! The store in a node's directory: opened as the config says, and told which versions it keeps.

use crate::{
    assemble::Database,
    config::{Config, NamespaceSection},
    shown::Retained,
};
use anabranch::{
    SpawnBlocking,
    keep::{self, clock},
    store::{Options, Retention, Store, StoreError},
};
use std::path::Path;

/// Opens the store in `data`, or makes one there.
pub(crate) async fn open(config: &Config, db: &Database, data: &Path) -> Result<Store, StoreError> {
    let section = &config.store;
    let options = Options::new(clock(db.runtime())).lifecycle(section.lifecycle);
    let options = match section.hot_bytes {
        Some(bytes) => options.hot_bytes(bytes),
        None => options,
    };
    let store = keep::on_disk(db.runtime(), data, options).await?;
    let (retaining, namespaces) = (store.clone(), config.namespaces.clone());
    let retained = db.runtime().spawn_blocking(move || retain(&retaining, &namespaces)).await;
    retained.unwrap_or(Err(StoreError::WriterPanicked))?;
    Ok(store)
}

/// What the config says holds, and what it does not name keeps all: it is the file that people read.
fn retain(store: &Store, namespaces: &[NamespaceSection]) -> Result<(), StoreError> {
    for (namespace, before) in store.retentions()? {
        if namespaces.iter().all(|section| section.name != namespace) {
            let before = Retained::of(&*namespace, before);
            tracing::info!("namespace \"{namespace}\" keeps all versions from now on; until now it kept {before}");
            store.set_retention(&namespace, Retention::All)?;
        }
    }
    for NamespaceSection { name, retention } in namespaces {
        tracing::info!("namespace \"{name}\" keeps {}", Retained::of(name, *retention));
        if store.retention(name)? != *retention {
            store.set_retention(name, *retention)?;
        }
    }
    Ok(())
}
