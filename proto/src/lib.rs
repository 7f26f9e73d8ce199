//! The wire contract of vaultd.
//!
//! `vault/v1/*.proto` is the only description of the wire; this crate holds the code generated
//! from it, the names and folders that both ends must agree on, what stands on the wire too often to be generated
//! code's, and nothing else: no transport, no policy.

pub mod endpoint;
pub mod paths;
pub mod reason;
mod rows;
mod runs;
mod values;

pub use rows::{Rows, Values};
pub use runs::{ParametersRef, StatementRef, StatementWriter};
pub use values::{Malformed, ValueRef};

/// Messages and services of package `vault.v1`.
#[allow(missing_docs, clippy::all, clippy::pedantic, unreachable_pub)]
pub mod v1 {
    pub use crate::{rows::QueryResponse, runs::ExecuteRequest};

    tonic::include_proto!("vault.v1");
}

/// The compiled `FileDescriptorSet` of every file of the contract, for reflection and for tests
/// that walk every method.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/vault.v1.bin"));

/// Largest body that a unary call carries, in bytes (1 MiB): above it, bodies stream.
pub const UNARY_BODY_LIMIT: usize = 1 << 20;

/// Largest message of any method, either way, in bytes: a unary body with room for its metadata.
pub const MESSAGE_LIMIT: usize = UNARY_BODY_LIMIT + (128 << 10);

/// Largest chunk of a stream, in bytes (256 KiB: the fastest size measured over the socket).
pub const CHUNK_LIMIT: usize = 256 << 10;
