//! What can be done to the rows.

use crate::{Passkey, RpId, Session, SettingsChange, Token};

/// One change of the rows. What grants or revokes raises the generation.
#[derive(Clone, Debug)]
pub enum Change {
    /// Grants. Refused with [`crate::AuthError::AlreadyPaired`] where it is to be the first of its relying
    /// party and is not any more.
    AddPasskey {
        /// The new one.
        passkey: Passkey,
        /// Whether it came by a pairing code, and only the first may.
        first: bool,
        /// The session it begins.
        session: Option<Session>,
        /// The host that is admitted with it.
        host: Option<String>,
    },
    /// Neither.
    RenamePasskey {
        /// Which.
        id: String,
        /// To what.
        label: String,
    },
    /// Revokes it, with the sessions it began.
    RemovePasskey {
        /// Which.
        id: String,
    },
    /// Revokes all, of one relying party or of every one.
    RemovePasskeys {
        /// Which.
        rp_id: Option<RpId>,
    },
    /// Grants: a passkey signed in, so its counter and time change.
    AddSession {
        /// The new one.
        session: Session,
        /// The passkey as it is now.
        passkey: Passkey,
        /// The session it takes the place of.
        replaces: Option<String>,
    },
    /// Revokes.
    RemoveSession {
        /// Which.
        id: String,
    },
    /// Revokes all, and puts a new key for cookies in place.
    RemoveSessions,
    /// Grants.
    AddToken {
        /// The new one.
        token: Token,
    },
    /// Revokes.
    RemoveToken {
        /// Which.
        id: String,
    },
    /// Revokes all.
    RemoveTokens,
    /// Grants or revokes, unless it changes nothing. Refused with
    /// [`crate::AuthError::AdminTokenMissing`] where `strict` would lock everybody out.
    Configure {
        /// What is to change.
        settings: SettingsChange,
    },
    /// Grants, unless it is admitted already.
    AddHost {
        /// A host, in lower case and without its port.
        host: String,
    },
    /// Revokes.
    RemoveHost {
        /// A host.
        host: String,
    },
}

impl Change {
    /// Whether it takes something from somebody, so that what was approved before counts no more.
    pub(super) fn revokes(&self) -> bool {
        match self {
            Self::RemovePasskey { .. }
            | Self::RemovePasskeys { .. }
            | Self::RemoveSession { .. }
            | Self::RemoveSessions
            | Self::RemoveToken { .. }
            | Self::RemoveTokens
            | Self::Configure { .. }
            | Self::RemoveHost { .. } => true,
            Self::AddPasskey { .. }
            | Self::RenamePasskey { .. }
            | Self::AddSession { .. }
            | Self::AddToken { .. }
            | Self::AddHost { .. } => false,
        }
    }
}
