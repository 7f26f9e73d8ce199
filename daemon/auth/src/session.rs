//! Signed-in browsers: a row here, a cookie there.
//!
//! The cookie is `id.secret.signature`. The signature is the HMAC-SHA-256 of what stands before it
//! under the vault's signing key, so that no forged cookie gets as far as a row; the secret's hash
//! stands in the row, so that the rows alone make no cookie; the id names the row, which can be
//! removed.

use std::sync::Arc;

use data_encoding::BASE64URL_NOPAD;
use serde::{Deserialize, Serialize};
use vault_crypto::{SigningKey, credential};

use crate::{Auth, AuthResult, Change, RpId, Scheme, WebRequest, tables::to_the_minute};

/// A session that nobody uses ends after 30 days, in milliseconds.
const IDLE_MS: i64 = 30 * 24 * 60 * 60 * 1000;

/// Every session ends after 90 days, in milliseconds.
const LONGEST_MS: i64 = 90 * 24 * 60 * 60 * 1000;

/// The same, in seconds: what the browser is told.
const LONGEST_SECONDS: u32 = 90 * 24 * 60 * 60;

/// Keeps what is signed here from being taken for anything else under the same key.
const SIGNED_AS: &str = "vaultd session cookie v1";

/// A session's row. Its cookie is not in it: the hash of the cookie's secret is.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Session {
    /// Names the row.
    pub id: String,
    /// SHA-256 of the secret in the cookie.
    pub secret_hash: [u8; 32],
    /// Where.
    pub rp_id: RpId,
    /// The passkey that began it.
    pub passkey_id: String,
    /// For people.
    pub label: String,
    /// Where it came from when it was last used.
    pub address: String,
    /// Milliseconds since 1970.
    pub created_ms: i64,
    /// The same, to the minute.
    pub last_used_ms: i64,
}

impl Session {
    /// When it ends if nobody uses it any more, in milliseconds since 1970.
    pub fn expires_ms(&self) -> i64 {
        let idle = self.last_used_ms.saturating_add(IDLE_MS);
        idle.min(self.created_ms.saturating_add(LONGEST_MS))
    }

    /// Whether it has not ended by then.
    pub(crate) fn counts(&self, now_ms: i64) -> bool {
        now_ms < self.expires_ms()
    }
}

/// A session that has just begun.
pub struct NewSession {
    /// Names the row.
    pub id: String,
    /// The cookie's value: id, secret and signature.
    pub cookie: String,
    /// The cookie's name.
    pub cookie_name: &'static str,
    /// Seconds until it ends at the latest.
    pub max_age: u32,
}

fn signature(key: &SigningKey, id: &str, secret: &str) -> [u8; credential::HASH_LEN] {
    key.sign(format!("{SIGNED_AS}.{id}.{secret}").as_bytes())
}

impl Auth {
    /// A new session for a passkey, as a row and as what the browser gets. It counts once the row
    /// was added.
    pub(crate) fn begin_session(
        &self,
        request: &WebRequest,
        rp_id: RpId,
        passkey_id: &str,
        label: &str,
    ) -> AuthResult<(Session, NewSession)> {
        let id = BASE64URL_NOPAD.encode(&vault_crypto::random_bytes::<16>()?);
        let secret = vault_crypto::random_bytes::<32>()?;
        let secret_hash = credential::hash(&secret);
        let secret = BASE64URL_NOPAD.encode(&secret);
        let signature = signature(&self.tables.signing_key(), &id, &secret);
        let now_ms = self.clock.now_ms();
        let begun = NewSession {
            cookie: format!("{id}.{secret}.{}", BASE64URL_NOPAD.encode(&signature)),
            // The prefix makes browsers insist on HTTPS, which the loopback does without.
            cookie_name: match request.scheme {
                Scheme::Https => "__Host-vaultd_sess",
                Scheme::Http => "vaultd_sess",
            },
            max_age: LONGEST_SECONDS,
            id: id.clone(),
        };
        let row = Session {
            id,
            secret_hash,
            rp_id,
            passkey_id: passkey_id.to_owned(),
            label: label.to_owned(),
            address: request.peer.ip().to_string(),
            created_ms: now_ms,
            last_used_ms: to_the_minute(now_ms),
        };
        Ok((row, begun))
    }

    /// The session of a cookie, where it counts.
    pub(crate) fn session_of(&self, cookie: &str, now_ms: i64) -> Option<Arc<Session>> {
        let mut parts = cookie.split('.');
        let (id, secret, signed) = (parts.next()?, parts.next()?, parts.next()?);
        if parts.next().is_some() {
            return None;
        }
        let signed = BASE64URL_NOPAD.decode(signed.as_bytes()).ok()?;
        let expected = signature(&self.tables.signing_key(), id, secret);
        if !credential::equal(&expected, &signed) {
            return None;
        }
        let secret = BASE64URL_NOPAD.decode(secret.as_bytes()).ok()?;
        let session = self.tables.session(id)?;
        let is_its_own = credential::equal(&session.secret_hash, &credential::hash(&secret));
        (is_its_own && session.counts(now_ms)).then_some(session)
    }

    /// Ends one session.
    pub fn revoke_session(&self, id: &str) -> AuthResult<()> {
        let id = id.to_owned();
        self.tables.change(Change::RemoveSession { id }).map(drop)
    }

    /// Ends all, and makes a new key for cookies. How many there were.
    pub fn reset_sessions(&self) -> AuthResult<u32> {
        self.tables.change(Change::RemoveSessions)
    }
}
