//! The passkeys that sign in.

use std::time::SystemTime;

use vault_proto::v1::{
    self, ListPasskeysRequest, RenamePasskeyRequest, ResetPasskeysRequest, RevokePasskeyRequest,
};

use crate::{
    Client, Error,
    auth::{past, time},
};

/// A passkey.
#[derive(Clone, Debug)]
pub struct Passkey {
    /// The credential id, base64url.
    pub id: String,
    /// For people.
    pub label: String,
    /// Where it signs in.
    pub rp_id: String,
    /// When it was registered.
    pub created: SystemTime,
    /// When it signed in last.
    pub last_used: Option<SystemTime>,
}

impl From<v1::Passkey> for Passkey {
    fn from(passkey: v1::Passkey) -> Self {
        Self {
            id: passkey.id,
            label: passkey.label,
            rp_id: passkey.rp_id,
            created: time(passkey.created),
            last_used: passkey.last_used.and_then(past),
        }
    }
}

impl Client {
    /// Passkeys of one relying party, or of all.
    pub async fn passkeys(&self, rp_id: Option<&str>) -> Result<Vec<Passkey>, Error> {
        let request = ListPasskeysRequest {
            rp_id: rp_id.unwrap_or_default().to_owned(),
        };
        let listed = self.services.passkeys().list(request).await?.into_inner();
        Ok(listed.passkeys.into_iter().map(Passkey::from).collect())
    }

    /// Gives a passkey another label.
    pub async fn rename_passkey(&self, id: &str, label: &str) -> Result<Passkey, Error> {
        let request = RenamePasskeyRequest {
            id: id.to_owned(),
            label: label.to_owned(),
        };
        let renamed = self.services.passkeys().rename(request).await?.into_inner();
        Ok(renamed.passkey.unwrap_or_default().into())
    }

    /// Revokes a passkey, with the sessions it began.
    pub async fn revoke_passkey(&self, id: &str) -> Result<(), Error> {
        let request = RevokePasskeyRequest { id: id.to_owned() };
        self.services.passkeys().revoke(request).await?;
        Ok(())
    }

    /// Revokes all, of one relying party or of every one; how many.
    pub async fn reset_passkeys(&self, rp_id: Option<&str>) -> Result<u32, Error> {
        let request = ResetPasskeysRequest {
            rp_id: rp_id.unwrap_or_default().to_owned(),
        };
        let reset = self.services.passkeys().reset(request).await?;
        Ok(reset.into_inner().revoked)
    }
}
