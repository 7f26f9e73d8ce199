//! Signed-in browsers.

use std::time::SystemTime;

use vault_proto::v1::{self, ListSessionsRequest, ResetSessionsRequest, RevokeSessionRequest};

use crate::{Client, Error, auth::time};

/// A signed-in browser.
#[derive(Clone, Debug)]
pub struct Session {
    /// Names the row.
    pub id: String,
    /// Where.
    pub rp_id: String,
    /// The passkey that began it.
    pub passkey_id: String,
    /// For people.
    pub label: String,
    /// Where it came from last.
    pub address: String,
    /// When it began.
    pub created: SystemTime,
    /// When it was last used, to the minute.
    pub last_used: SystemTime,
    /// When it ends if it is not used.
    pub expires: SystemTime,
    /// Whether it is the caller's own.
    pub current: bool,
}

impl From<v1::Session> for Session {
    fn from(session: v1::Session) -> Self {
        Self {
            id: session.id,
            rp_id: session.rp_id,
            passkey_id: session.passkey_id,
            label: session.label,
            address: session.address,
            created: time(session.created),
            last_used: time(session.last_used),
            expires: time(session.expires),
            current: session.current,
        }
    }
}

impl Client {
    /// Sessions, the one used last first.
    pub async fn sessions(&self) -> Result<Vec<Session>, Error> {
        let listed = self
            .services
            .sessions()
            .list(ListSessionsRequest {})
            .await?;
        let sessions = listed.into_inner().sessions.into_iter();
        Ok(sessions.map(Session::from).collect())
    }

    /// Ends one.
    pub async fn revoke_session(&self, id: &str) -> Result<(), Error> {
        let request = RevokeSessionRequest { id: id.to_owned() };
        self.services.sessions().revoke(request).await?;
        Ok(())
    }

    /// Ends all, and makes a new key for cookies; how many.
    pub async fn reset_sessions(&self) -> Result<u32, Error> {
        let reset = self
            .services
            .sessions()
            .reset(ResetSessionsRequest {})
            .await?;
        Ok(reset.into_inner().ended)
    }
}
