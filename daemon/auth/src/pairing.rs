//! The one-time code that lets the first passkey in.

use std::sync::{Mutex, MutexGuard, PoisonError};

use vault_crypto::credential;

use crate::{Auth, AuthError, AuthResult, Host, HostName, RpId, code::TypedCode};

/// A code counts for 10 minutes, in milliseconds.
const LIFETIME_MS: i64 = 10 * 60 * 1000;
/// So often a wrong one may be typed while there is a code.
const TRIES: u32 = 5;

/// A code as it is shown, once.
pub struct PairingCode {
    /// "ABCD-EFGH"
    pub code: String,
    /// Milliseconds since 1970.
    pub expires_ms: i64,
    /// How many tries it has.
    pub tries: u32,
}

/// The code there is, if there is one: hashed, in memory only.
#[derive(Default)]
pub(crate) struct Pairing(Mutex<Option<Current>>);

struct Current {
    hash: [u8; credential::HASH_LEN],
    host: Option<HostName>,
    expires_ms: i64,
    tries: u32,
}

impl Current {
    /// Never before it was made: a clock that was set back makes it last no longer.
    fn counts(&self, now_ms: i64) -> bool {
        let begun_ms = self.expires_ms.saturating_sub(LIFETIME_MS);
        (begun_ms..self.expires_ms).contains(&now_ms)
    }
}

/// That the right code was typed, in time and where it counts.
#[derive(Clone)]
pub(crate) struct Reservation {
    hash: [u8; credential::HASH_LEN],
    /// The host that is admitted with it, where it is not yet.
    pub(crate) host: Option<String>,
}

impl Pairing {
    /// Judges what was typed. The code stays: a registration that fails may be begun anew, and one that
    /// was begun in time may end a little later.
    pub(crate) fn reserve(
        &self,
        typed: &str,
        host: &HostName,
        admitted: bool,
        now_ms: i64,
    ) -> AuthResult<Reservation> {
        let mut current = self.lock();
        let Some(current) = current.as_mut().filter(|code| code.counts(now_ms)) else {
            return Err(AuthError::PairingCodeWrong(0));
        };
        let Some(left) = current.tries.checked_sub(1) else {
            return Err(AuthError::PairingCodeWrong(0));
        };
        let serves = admitted || current.host.as_ref() == Some(host);
        let hash = TypedCode::parse(typed).map(|code| credential::hash(code.as_bytes()));
        let right = hash.is_some_and(|hash| credential::equal(&hash, &current.hash));
        match (serves, right) {
            (true, true) => Ok(Reservation {
                hash: current.hash,
                host: (!admitted).then(|| host.to_string()),
            }),
            (true, false) => {
                current.tries = left;
                Err(AuthError::PairingCodeWrong(left))
            }
            // The same answer to every code: else a right one could be found out from anywhere. Nothing
            // is to be had here by guessing, so no try is used up: strangers would use up all of them.
            (false, _) => Err(AuthError::HostNotAdmitted(host.to_string())),
        }
    }

    /// Uses the code up with what it allows. Nobody else uses it meanwhile, and it stays where that
    /// fails. None where it was taken back, replaced or used up since.
    pub(crate) fn redeem<T>(
        &self,
        reservation: &Reservation,
        then: impl FnOnce() -> AuthResult<T>,
    ) -> Option<AuthResult<T>> {
        let mut current = self.lock();
        let known = current.as_ref()?.hash;
        if !credential::equal(&known, &reservation.hash) {
            return None;
        }
        let done = then();
        // What the keyring alone failed to remember was done nevertheless.
        if matches!(done, Ok(_) | Err(AuthError::Anchor(_))) {
            *current = None;
        }
        Some(done)
    }

    fn lock(&self) -> MutexGuard<'_, Option<Current>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Auth {
    /// Makes a code, in place of an earlier one. `host` is admitted when it is used from there.
    pub fn create_pairing(&self, host: Option<&str>) -> AuthResult<PairingCode> {
        let host = host.map(HostName::parse).transpose()?;
        if let Some(name) = &host {
            // Where no passkey can be, no code can be used.
            let name = name.clone();
            RpId::of(&Host { name, port: None })?;
        }
        let code = TypedCode::generate()?;
        let expires_ms = self.clock.now_ms().saturating_add(LIFETIME_MS);
        *self.pairing.lock() = Some(Current {
            hash: credential::hash(code.as_bytes()),
            host,
            expires_ms,
            tries: TRIES,
        });
        Ok(PairingCode {
            code: code.to_string(),
            expires_ms,
            tries: TRIES,
        })
    }

    /// Takes the code back, and with it what was begun by it.
    pub fn cancel_pairing(&self) {
        *self.pairing.lock() = None;
    }
}
