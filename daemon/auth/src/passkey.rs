//! Passkeys, as they are kept.

use serde::{Deserialize, Serialize};
use webauthn_rs::prelude::{Credential, Uuid};

use crate::{Auth, AuthResult, Change, RpId, token::checked_label};

/// A passkey.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Passkey {
    /// The credential id, base64url without padding.
    pub id: String,
    /// For people.
    pub label: String,
    /// Where it signs in.
    pub rp_id: RpId,
    /// The name of the person that the authenticator keeps with it.
    pub user_handle: Uuid,
    /// Milliseconds since 1970.
    pub created_ms: i64,
    /// When it signed in last.
    pub last_used_ms: Option<i64>,
    /// The public key and counter, as webauthn-rs writes them.
    pub credential: webauthn_rs::prelude::Passkey,
}

impl Passkey {
    /// Whether this can be what became of `known` by one more use: its counter went up, or it has
    /// none (WebAuthn Level 3, section 7.2, step 22). A copy of the authenticator shows by that.
    pub(crate) fn follows(&self, known: &Self) -> bool {
        let (before, now) = (known.counter(), self.counter());
        (before == 0 && now == 0) || now > before
    }

    fn counter(&self) -> u32 {
        Credential::from(self.credential.clone()).counter
    }
}

impl Auth {
    /// Gives a passkey another label.
    pub fn rename_passkey(&self, id: &str, label: &str) -> AuthResult<Passkey> {
        let renamed = Change::RenamePasskey {
            id: id.to_owned(),
            label: checked_label(label)?,
        };
        self.tables.change(renamed)?;
        let passkeys = self.tables.passkeys(None);
        let passkey = passkeys.into_iter().find(|passkey| passkey.id == id);
        passkey.ok_or(crate::AuthError::NotFound("passkey"))
    }

    /// Makes a passkey invalid, at once, with the sessions that it began.
    pub fn revoke_passkey(&self, id: &str) -> AuthResult<()> {
        let id = id.to_owned();
        self.tables.change(Change::RemovePasskey { id }).map(drop)
    }

    /// Makes all invalid, of one relying party or of every one. How many there were.
    pub fn reset_passkeys(&self, rp_id: Option<RpId>) -> AuthResult<u32> {
        self.tables.change(Change::RemovePasskeys { rp_id })
    }
}
