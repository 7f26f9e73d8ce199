//! `vaultctl key ...`: the storage key.

mod credential;
mod derive;
mod export;
mod import;
mod master;
mod relocate;
mod reset;
mod rotate;
mod status;

use crate::{context::Context, failure::Failure};

#[derive(clap::Subcommand, Debug)]
pub(crate) enum Key {
    /// Show where the key is, its rotation and its newest export
    Status,
    /// Replace the key
    Rotate(rotate::Rotate),
    /// Write the key to a sealed file: what opens the vault when the keyring is lost
    Export(export::Export),
    /// Put the key of an exported file back into the keyring
    Import(import::Import),
    /// Derive the key from a master key that is kept elsewhere
    Derive(derive::Derive),
    /// Move the key to another keyring backend
    Move(relocate::Move),
    /// Destroy the key, and with it everything that it sealed
    ResetForWipe(reset::Reset),
}

impl Key {
    pub(crate) async fn run(self, context: &Context) -> Result<(), Failure> {
        match self {
            Self::Status => status::run(context).await,
            Self::Rotate(rotate) => rotate.run(context).await,
            Self::Export(export) => export.run(context).await,
            Self::Import(import) => import.run(context).await,
            Self::Derive(derive) => derive.run(context).await,
            Self::Move(relocate) => relocate.run(context).await,
            Self::ResetForWipe(reset) => reset.run(context).await,
        }
    }
}

/// Said where a call was left that goes on without its caller.
const INTERRUPTED: &str = "what has begun goes on, and `vaultctl key status` shows it";

/// Said when a key was replaced.
const EXPORTS_OUTDATED: &str = "earlier exports of the key do not open the vault any more: \
                                `vaultctl key export FILE` makes a new one";
