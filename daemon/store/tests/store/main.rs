//! Tests of the stores: crashes, faults, the minting rule, and what clients rely on.

#[path = "../support/mod.rs"]
mod support;

mod adoption;
mod concurrency;
mod conformance;
mod crash_harness;
mod crashes;
mod fault_works;
mod faults;
mod lifecycle;
mod minting;
mod model;
mod opening;
mod plain;
mod semantics;
mod tampering;
