//! Where the storage key lives: the keyring backends behind one trait.
//!
//! [`Backend`] is what a backend does, [`Keyring`] is how the rest of the daemon reaches one: on a
//! thread of its own, one call at a time, each with a deadline. The backends are the desktop's
//! keyring ([`os`]), a passphrase file ([`passphrase`]), a credential of a systemd service
//! ([`systemd_creds`]) and plain memory ([`memory`]).
//!
//! The error matters as much as the key. A key is minted only on [`KeyringError::NoEntry`], so no
//! backend answers that while it merely cannot see its entries.

#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod account;
mod backend;
mod error;
pub mod memory;
pub mod os;
pub mod passphrase;
pub mod systemd_creds;
mod worker;

pub use account::{Account, EntryName, SERVICE};
pub use backend::{Backend, BackendKind, Interaction, ParseBackendKindError, Probe};
pub use error::KeyringError;
pub use memory::MemoryBackend;
pub use os::OsBackend;
pub use passphrase::PassphraseBackend;
pub use systemd_creds::SystemdCredsBackend;
pub use worker::Keyring;
