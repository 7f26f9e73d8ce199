//! The stores of vaultd.
//!
//! Synchronous and free of transport: every call blocks until the disk has answered. Read it in
//! this order: [`fs`] and [`durable`] (what "acknowledged" rests on), [`root`] and [`vault`] (keys
//! and catalogue), [`kind`] (what every store kind implements), [`documents`], [`databases`], [`blobs`];
//! [`references`] and [`collection`] (what keeps a blob, and what ends it); [`archive`]; [`audit`];
//! [`legacy`].

#![forbid(unsafe_code)]
#![deny(missing_docs)]

pub mod archive;
pub mod attachments;
pub mod audit;
pub mod blobs;
pub mod catalogue;
pub mod clock;
pub mod collection;
pub mod databases;
pub mod documents;
pub mod durable;
pub mod error;
pub mod files;
pub mod fs;
pub mod header;
pub mod id;
pub mod key_source;
pub mod keys;
pub mod kind;
pub mod legacy;
pub mod maintenance;
mod own_files;
mod public_file;
pub mod references;
pub mod root;
pub mod rotation;
pub mod secrets;
pub mod sidecar;
pub mod size_class;
pub mod store_keys;
mod unchanging;
pub mod vault;

pub use clock::{Clock, SystemClock};
pub use error::{StoreError, StoreResult};
pub use fs::{DiskFileSystem, FileSystem};
pub use id::{DocumentId, Revision, StoreId, StoreName};
pub use key_source::{KeyEntry, KeySource, KeySourceError};
pub use root::DataRoot;
pub use size_class::SizeClass;
pub use vault::{OpenError, Vault};
