//! A vault's content as one file: a tar file, in the clear, compressed, or compressed and sealed.
//!
//! The first entry is the manifest, which lists every object with its size, hash and metadata;
//! behind it come the objects, store by store in the manifest's order (blobs before what may name
//! them), each under the full name of its store. Of a manifest and the objects it lists there is exactly one tar file (see `layout`),
//! and no other one is taken: nothing can be missing, doubled, added, moved or cut off unnoticed.
//!
//! Memory stays flat, whatever an archive says of itself. Besides the manifest, a piece of a body
//! is held; of documents, the body that is exported, and a group of a few MiB when restoring.

mod body;
mod error;
mod export;
mod layout;
mod manifest;
mod merge;
mod names;
mod reading;
mod restore;
mod sink;
mod source;
mod verify;

use std::ops::ControlFlow;

use vault_crypto::{Recipients, VaultId};

pub use error::ArchiveError;
pub use export::export;
pub use merge::{Conflicts, Merged, merge};
pub use restore::{RestoreOptions, Restored, restore};
pub use verify::verify;

use crate::{
    catalogue::{Kind, Protection},
    id::StoreName,
};

/// How an archive is written.
#[derive(Debug)]
pub enum Form<'a> {
    /// A tar file.
    Tar,
    /// The same, compressed by zstd (RFC 8878).
    TarZstd,
    /// The same, compressed, and then sealed by age for these.
    Sealed(Recipients<'a>),
}

/// How far the work has come: in all stores together.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Progress<'a> {
    /// The store being worked on.
    pub store: &'a str,
    /// Objects done.
    pub objects_done: u64,
    /// Objects there are.
    pub objects_total: u64,
    /// Bytes of bodies done.
    pub bytes_done: u64,
    /// Bytes of bodies there are.
    pub bytes_total: u64,
}

/// Told of progress; answers whether to go on.
pub type Report<'a> = dyn FnMut(Progress<'_>) -> ControlFlow<()> + 'a;

/// What an archive holds of one store.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StoreSummary {
    /// Its name.
    pub name: StoreName,
    /// What it holds.
    pub kind: Kind,
    /// Whether it encrypts.
    pub protection: Protection,
    /// Objects.
    pub objects: u64,
    /// Bytes of their bodies.
    pub bytes: u64,
}

/// What an archive holds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Summary {
    /// The vault it was made of.
    pub vault: VaultId,
    /// When, in milliseconds since 1970.
    pub created_ms: i64,
    /// Its stores: those of blobs, then the others, by name.
    pub stores: Vec<StoreSummary>,
    /// Objects in all.
    pub objects: u64,
    /// Bytes of their bodies.
    pub bytes: u64,
    /// SHA-256 of the manifest, which holds that of every object.
    pub manifest: [u8; 32],
    /// Secrets whose value is not in it.
    pub secrets_left_out: u64,
}

/// What goes into an archive.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Contents {
    /// These stores alone; every one where there is none.
    pub only: Option<Vec<StoreName>>,
    /// The values of secrets, too. Without them they are listed and no more.
    pub secrets: bool,
}

/// Counts what is done and passes it on.
struct Tally<'a, 'b> {
    report: &'a mut Report<'b>,
    objects: (u64, u64),
    bytes: (u64, u64),
}

impl<'a, 'b> Tally<'a, 'b> {
    fn new(report: &'a mut Report<'b>, summary: &Summary) -> Self {
        Self {
            report,
            objects: (0, summary.objects),
            bytes: (0, summary.bytes),
        }
    }

    /// Notes that so many more are done.
    fn add(&mut self, store: &StoreName, objects: u64, bytes: u64) -> Result<(), ArchiveError> {
        self.objects.0 += objects;
        self.bytes.0 += bytes;
        let progress = Progress {
            store: store.as_str(),
            objects_done: self.objects.0,
            objects_total: self.objects.1,
            bytes_done: self.bytes.0,
            bytes_total: self.bytes.1,
        };
        match (self.report)(progress) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(ArchiveError::Stopped),
        }
    }
}
