//! Who may use a vault from outside its socket, and as what: relying parties, passkeys, sessions,
//! bearer tokens, pairing, and the rules that judge a request.
//!
//! All of it is state of the daemon: rows of an encrypted database, held in memory as well, so that
//! judging a request touches no disk. [`Tables`] is the one way to change them, and every change that
//! grants or revokes raises a generation that the keyring remembers, so that an older copy of the
//! database put back in place is found out. Nothing here knows of HTTP servers or of gRPC: a request
//! is a [`WebRequest`], and the answer is who it counts as.

#![deny(missing_docs)]
#![forbid(unsafe_code)]

mod access;
mod anchor;
mod attempts;
mod ceremony;
mod code;
mod error;
mod gate;
mod host;
mod label;
mod login;
mod pairing;
mod passkey;
mod relying_party;
mod request;
mod session;
mod settings;
mod tables;
mod token;
mod waiting;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use vault_store::{Clock, databases::Database};

pub use access::{Access, Permission, ScopeError, StorePattern, StoreScope};
pub use anchor::{Anchor, AnchorError};
pub use ceremony::{CeremonyId, Challenge};
pub use error::{AuthError, AuthResult};
pub use gate::{Admitted, Credential, Standing};
pub use host::{Host, HostName};
pub use login::{Authorization, DeviceLogin, Exchange, LoginRequest};
pub use pairing::PairingCode;
pub use passkey::Passkey;
pub use relying_party::RpId;
pub use request::{FetchSite, Origin, RequestParts, Scheme, WebRequest};
pub use session::{NewSession, Session};
pub use settings::{FirstPair, Settings, SettingsChange};
pub use tables::{Change, Older, Tables};
pub use token::{NewToken, Token, TokenSecret};

/// Everything there is to ask and to change. Methods that change something block: they are called
/// from threads that may.
pub struct Auth {
    tables: Tables,
    ceremonies: ceremony::Ceremonies,
    logins: login::Logins,
    pairing: pairing::Pairing,
    attempts: attempts::Attempts,
    clock: Arc<dyn Clock>,
}

impl Auth {
    /// Reads the tables, and makes sure that they are not older than the keyring remembers.
    pub fn open(
        database: Arc<Database>,
        anchor: Arc<dyn Anchor>,
        clock: Arc<dyn Clock>,
    ) -> AuthResult<Self> {
        Ok(Self {
            tables: Tables::open(database, anchor, Arc::clone(&clock))?,
            ceremonies: ceremony::Ceremonies::default(),
            logins: login::Logins::default(),
            pairing: pairing::Pairing::default(),
            attempts: attempts::Attempts::default(),
            clock,
        })
    }

    /// The rows, to be read and changed.
    pub fn tables(&self) -> &Tables {
        &self.tables
    }
}
