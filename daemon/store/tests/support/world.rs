//! Everything a client can see of a vault, to be compared with what it ought to see.

use std::{collections::BTreeMap, ops::ControlFlow};

use vault_store::{
    Revision, StoreName, Vault,
    blobs::{BlobRef, BlobStore},
    catalogue::Kind,
    documents::{DocumentStore, Listed},
    kind::Store as _,
};

/// A document as a client sees it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Seen {
    pub(crate) revision: u64,
    pub(crate) body: String,
    pub(crate) content_type: String,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) awaits_migration: bool,
}

/// A store as a client sees it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct StoreWorld {
    pub(crate) documents: BTreeMap<String, Seen>,
    pub(crate) tombstones: BTreeMap<String, u64>,
    /// Of a store of blobs: the content type of each ref, whose content has its hash.
    pub(crate) blobs: BTreeMap<String, String>,
}

impl StoreWorld {
    /// The newest revision given to anything.
    pub(crate) fn last(&self) -> u64 {
        let documents = self.documents.values().map(|seen| seen.revision);
        documents
            .chain(self.tombstones.values().copied())
            .max()
            .unwrap_or(0)
    }

    /// The bodies alone; of blobs, which are what their refs say, the content types.
    pub(crate) fn bodies(&self) -> BTreeMap<&str, &str> {
        let bodies = self.documents.iter();
        let bodies = bodies.map(|(id, seen)| (id.as_str(), seen.body.as_str()));
        let blobs = self.blobs.iter();
        bodies
            .chain(blobs.map(|(reference, kind)| (reference.as_str(), kind.as_str())))
            .collect()
    }
}

/// Every store by name.
pub(crate) type World = BTreeMap<String, StoreWorld>;

pub(crate) fn observe_store(store: &DocumentStore) -> Result<StoreWorld, String> {
    let mut world = StoreWorld::default();
    for listed in store.list("").map_err(|error| format!("list: {error}"))? {
        let head = match listed {
            Listed::Head(head) => head,
            Listed::Damaged(name, error) => return Err(format!("damage: {name}: {error}")),
        };
        let document = store
            .get(head.id())
            .map_err(|error| format!("get: {error}"))?;
        if document.head.revision() != head.revision() {
            return Err(format!("{} has two revisions", head.id()));
        }
        let seen = Seen {
            revision: head.revision().0,
            body: String::from_utf8_lossy(&document.body).into_owned(),
            content_type: head.content_type().to_owned(),
            labels: head.labels().clone(),
            awaits_migration: head.awaits_migration(),
        };
        world.documents.insert(head.id().as_str().to_owned(), seen);
    }
    let changes = store
        .changes(Revision::ZERO, usize::MAX)
        .map_err(|error| error.to_string())?;
    for head in changes.iter().filter(|head| head.is_deleted()) {
        world
            .tombstones
            .insert(head.id().as_str().to_owned(), head.revision().0);
    }
    let stats = store.stats().map_err(|error| error.to_string())?;
    if stats.damaged != 0 || stats.objects != world.documents.len() as u64 {
        return Err(format!("the figures are wrong: {stats:?}"));
    }
    if changes.len() != world.documents.len() + world.tombstones.len() {
        return Err("the changes are not the documents and tombstones".to_owned());
    }
    Ok(world)
}

pub(crate) fn observe(vault: &Vault) -> Result<World, String> {
    let mut world = World::new();
    for record in vault.stores() {
        let unopened = |error| format!("open store {}: {error}", record.name);
        let seen = if record.kind == Kind::Blobs {
            observe_blobs(&*vault.blobs(&record.name).map_err(unopened)?)?
        } else {
            observe_store(&*vault.documents(&record.name).map_err(unopened)?)?
        };
        world.insert(record.name.to_string(), seen);
    }
    Ok(world)
}

/// Asks for every blob that is to be seen: what a client is told to be there, is there durably.
pub(crate) fn ask_for_blobs(vault: &Vault) -> Result<(), String> {
    for (name, world) in observe(vault)? {
        for reference in world.blobs.keys() {
            let store = StoreName::parse(&name).map_err(|error| error.to_string())?;
            let store = vault.blobs(&store).map_err(|error| error.to_string())?;
            let reference = BlobRef::parse(reference).map_err(|error| error.to_string())?;
            let there = store.contains(&reference);
            if !there.map_err(|error| error.to_string())? {
                return Err(format!("{reference} is listed and not there"));
            }
        }
    }
    Ok(())
}

fn observe_blobs(store: &BlobStore) -> Result<StoreWorld, String> {
    let mut world = StoreWorld::default();
    let mut wrong = None;
    let listed = store.list(&mut |listed| match listed {
        Ok(info) => {
            let reference = info.reference.to_string();
            world.blobs.insert(reference, info.content_type);
            ControlFlow::Continue(())
        }
        Err((file, error)) => {
            wrong = Some(format!("damage: {file}: {error}"));
            ControlFlow::Break(())
        }
    });
    listed.map_err(|error| format!("list: {error}"))?;
    wrong.map_or(Ok(()), Err)?;
    for reference in world.blobs.keys() {
        let read = store.verify_one(reference);
        read.map_err(|error| format!("read: {error}"))?;
        let reference = BlobRef::parse(reference).map_err(|error| error.to_string())?;
        let stat = store.stat(&reference);
        stat.map_err(|error| format!("listed, and not there: {error}"))?;
    }
    let stats = store.stats().map_err(|error| error.to_string())?;
    if stats.damaged != 0 || stats.objects != world.blobs.len() as u64 {
        return Err(format!("the figures are wrong: {stats:?}"));
    }
    Ok(world)
}
