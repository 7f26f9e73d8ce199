//! Tests of the stores: crashes, faults, the minting rule, and what clients rely on.

#[path = "../support/mod.rs"]
mod support;

mod adoption;
mod archive;
mod archive_blobs;
mod archive_databases;
mod archive_faults;
mod archive_refusal;
mod archive_restore;
mod archive_streams;
mod archive_world;
mod attachments;
mod audit;
mod blobs;
mod collection;
mod concurrency;
mod conformance;
mod crash_aftermath;
mod crash_harness;
mod crashes;
mod database_world;
mod databases;
mod fault_works;
mod faults;
mod files;
mod importing;
mod inspection;
mod internal;
mod key_crashes;
mod key_faults;
#[cfg(unix)]
mod kill_points;
mod legacy;
mod lifecycle;
mod maintenance;
mod minting;
mod model;
mod opening;
mod plain;
mod reach;
mod recovery;
mod secret_crashes;
mod secret_faults;
mod secrets;
mod semantics;
mod snapshots;
mod tampering;
mod upkeep;
