//! What can go wrong with a call.

use std::{collections::HashMap, path::PathBuf};

use tonic_types::StatusExt as _;
use vault_proto::reason::DOMAIN;

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nobody listens.
    #[error("no vaultd listens on {socket}: {detail}")]
    NoDaemon {
        /// The socket tried.
        socket: PathBuf,
        /// What the operating system said.
        detail: String,
    },
    /// The daemon could not be started.
    #[error("vaultd could not be started: {0}")]
    StartFailed(String),
    /// What listens there runs as another user: nothing was said to it.
    #[error("the process that listens on {socket} belongs to another user")]
    ForeignServer {
        /// The socket.
        socket: PathBuf,
    },
    /// What listens there serves another vault.
    #[error("the daemon serves the vault in {found}, not the one in {wanted}")]
    OtherVault {
        /// The vault that was meant.
        wanted: PathBuf,
        /// The one that is served.
        found: PathBuf,
    },
    /// The daemon refused.
    #[error(transparent)]
    Refused(Box<Refusal>),
    /// Something on this side.
    #[error("{0}")]
    Local(String),
}

/// The daemon's refusal: a stable reason for programs, a text for people.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// The reason, such as `LOCKED` or `REVISION_CONFLICT`; empty where the transport failed.
    pub reason: String,
    /// What the reason asks to be known, such as `current` for the revision in force.
    pub metadata: HashMap<String, String>,
    /// For people.
    pub message: String,
}

impl Error {
    /// The daemon's reason, if it is the daemon that refused.
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Refused(refusal) => Some(&refusal.reason),
            _ => None,
        }
    }
}

impl From<tonic::Status> for Error {
    fn from(status: tonic::Status) -> Self {
        let details = status.get_error_details();
        let info = details.error_info().filter(|info| info.domain == DOMAIN);
        let message = match status.message() {
            "" => status.code().description().to_owned(),
            message => message.to_owned(),
        };
        Self::Refused(Box::new(Refusal {
            reason: info.map(|info| info.reason.clone()).unwrap_or_default(),
            metadata: info.map(|info| info.metadata.clone()).unwrap_or_default(),
            message,
        }))
    }
}

/// An error with what it comes from: hyper's own text is of the kind "connection error".
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
