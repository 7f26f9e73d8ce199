//! Who may use the vault from outside the socket: what a caller is, how it signs in, what happened.
//!
//! None of these calls has a connection of its own, unlike those for secrets: a cookie or a token is
//! in the metadata of every later call.

mod settings;
mod status;

use std::time::SystemTime;

use vault_proto::v1::{
    self, AcceptAuthRequest, AuthActivityRequest, BeginLoginRequest, BeginRegistrationRequest,
    FinishLoginRequest, FinishRegistrationRequest, LogoutRequest,
};

use crate::{Client, Error, Passkey, Secret};

pub use settings::{AuthSettings, AuthSettingsChange, FirstPair};
pub use status::{AuthStatus, Principal};

/// What a browser is asked in a ceremony.
#[derive(Clone, Debug)]
pub struct Challenge {
    /// Names the ceremony.
    pub ceremony: String,
    /// Options of `navigator.credentials`, as JSON.
    pub options: Vec<u8>,
}

/// A session that has just begun.
#[derive(Debug)]
pub struct NewSession {
    /// Names its row.
    pub id: String,
    /// The cookie's value.
    pub cookie: Secret,
    /// The cookie's name.
    pub cookie_name: String,
    /// Max-Age, in seconds.
    pub max_age: u32,
}

/// Tables that are older than the keyring remembers, and what comes of accepting them.
#[derive(Clone, Debug)]
pub struct OlderAuth {
    /// Those that count then, whether they were revoked since or not.
    pub passkeys: Vec<Passkey>,
    /// Hosts that are admitted then.
    pub hosts: Vec<String>,
    /// How many sessions end.
    pub sessions: u32,
    /// How many tokens are revoked.
    pub tokens: u32,
}

impl NewSession {
    fn received(session: v1::NewSession) -> Self {
        Self {
            id: session.id,
            cookie: Secret::from_text(session.cookie),
            cookie_name: session.cookie_name,
            max_age: session.max_age,
        }
    }
}

/// Something that happened.
#[derive(Clone, Debug)]
pub struct ActivityEvent {
    /// When.
    pub at: SystemTime,
    /// What: a method, or a word such as "sign-in".
    pub action: String,
    /// Whether it was let in.
    pub admitted: bool,
    /// As what the caller counted.
    pub principal: Principal,
    /// The label of its passkey or token, or its process.
    pub who: String,
    /// Its address.
    pub from: String,
    /// The store or object.
    pub detail: String,
}

impl ActivityEvent {
    fn received(event: v1::ActivityEvent) -> Self {
        Self {
            principal: Principal::received(event.principal()),
            at: time(event.at),
            action: event.action,
            admitted: event.admitted,
            who: event.who,
            from: event.address,
            detail: event.detail,
        }
    }
}

/// 1970 where the wire brought no time, or none that this system can hold.
pub(crate) fn time(time: Option<prost_types::Timestamp>) -> SystemTime {
    time.and_then(past).unwrap_or(SystemTime::UNIX_EPOCH)
}

/// Nothing where the wire brought none.
pub(crate) fn past(time: prost_types::Timestamp) -> Option<SystemTime> {
    SystemTime::try_from(time).ok()
}

impl Client {
    /// Begins to register a passkey. Without a session, with a pairing code.
    pub async fn begin_registration(
        &self,
        pairing_code: Option<&Secret>,
        label: Option<&str>,
    ) -> Result<Challenge, Error> {
        let pairing_code = pairing_code.map(Secret::to_text).transpose()?;
        let request = BeginRegistrationRequest {
            pairing_code: pairing_code.unwrap_or_default(),
            label: label.unwrap_or_default().to_owned(),
        };
        let begun = self.services.auth().begin_registration(request).await?;
        let begun = begun.into_inner();
        Ok(Challenge {
            ceremony: begun.ceremony,
            options: begun.options,
        })
    }

    /// Ends it, with a session where the caller had none.
    pub async fn finish_registration(
        &self,
        ceremony: &str,
        credential: &[u8],
    ) -> Result<(Passkey, Option<NewSession>), Error> {
        let request = FinishRegistrationRequest {
            ceremony: ceremony.to_owned(),
            credential: credential.to_vec(),
        };
        let finished = self.services.auth().finish_registration(request).await?;
        let finished = finished.into_inner();
        let session = finished.session.map(NewSession::received);
        Ok((finished.passkey.unwrap_or_default().into(), session))
    }

    /// Begins to sign in. `conditional` offers the passkeys in a form's field.
    pub async fn begin_login(&self, conditional: bool) -> Result<Challenge, Error> {
        let request = BeginLoginRequest { conditional };
        let begun = self
            .services
            .auth()
            .begin_login(request)
            .await?
            .into_inner();
        Ok(Challenge {
            ceremony: begun.ceremony,
            options: begun.options,
        })
    }

    /// Ends it with a session.
    pub async fn finish_login(
        &self,
        ceremony: &str,
        credential: &[u8],
    ) -> Result<NewSession, Error> {
        let request = FinishLoginRequest {
            ceremony: ceremony.to_owned(),
            credential: credential.to_vec(),
        };
        let finished = self.services.auth().finish_login(request).await?;
        let session = finished.into_inner().session.unwrap_or_default();
        Ok(NewSession::received(session))
    }

    /// Ends the caller's session, or revokes the token that it sent.
    pub async fn logout(&self) -> Result<(), Error> {
        self.services.auth().logout(LogoutRequest {}).await?;
        Ok(())
    }

    /// Accepts tables that are older than the keyring remembers: how many sessions it ended and how
    /// many tokens it revoked.
    pub async fn accept_auth(&self) -> Result<(u32, u32), Error> {
        let request = AcceptAuthRequest { preview: false };
        let accepted = self.services.auth().accept(request).await?.into_inner();
        Ok((accepted.sessions_ended, accepted.tokens_revoked))
    }

    /// What would come of that; `None` where there is nothing to accept.
    pub async fn older_auth(&self) -> Result<Option<OlderAuth>, Error> {
        let request = AcceptAuthRequest { preview: true };
        let told = self.services.auth().accept(request).await?.into_inner();
        Ok(told.older.map(|older| OlderAuth {
            passkeys: older.passkeys.into_iter().map(Passkey::from).collect(),
            hosts: older.hosts,
            sessions: told.sessions_ended,
            tokens: told.tokens_revoked,
        }))
    }

    /// What happened last, the newest first.
    pub async fn activity(&self, limit: u32) -> Result<Vec<ActivityEvent>, Error> {
        let request = AuthActivityRequest { limit };
        let told = self.services.auth().activity(request).await?.into_inner();
        let events = told.events.into_iter().map(ActivityEvent::received);
        Ok(events.collect())
    }
}
