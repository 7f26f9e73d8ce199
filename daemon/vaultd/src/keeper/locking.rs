//! Locking and unlocking, on request and by the clock.

use std::{sync::PoisonError, time::Duration};

use tonic::Status;
use vault_crypto::SecretBytes;
use vault_keyring::{Interaction, Keyring};
use vault_proto::v1::Reason;

use super::{Keeper, State};
use crate::{error::refusal, key_error, key_source::key_source_error, key_state::Closed};

impl Keeper {
    /// Drops every key. Calls in flight end with `LOCKED`.
    pub fn lock(&self) {
        self.lock_as(Closed::locked());
    }

    /// Locks a vault that nobody has used for `idle_lock`. Answers how long it may still stay open;
    /// `None` where it never locks itself.
    pub fn lock_if_idle(&self) -> Option<Duration> {
        let after = self.activity.limit()?;
        let rest = self.activity.rest()?;
        if !rest.is_zero() {
            return Some(rest);
        }
        if self.is_rotating() {
            self.activity.touch();
        } else if matches!(&*self.read(), State::Open(_)) {
            self.lock_as(Closed::idle(after));
        }
        Some(after)
    }

    fn lock_as(&self, closed: Closed) {
        self.write_auth_uses();
        let keyring = self.lock_attempt();
        // While its keyring can still be told.
        self.audit.close(&closed.explanation);
        if let Some(keyring) = &*keyring
            && let Err(error) = keyring.lock()
        {
            tracing::warn!(%error, "the keyring could not be told to forget");
        }
        self.close_vault(closed);
        self.audit.closed();
        tracing::info!("locked");
    }

    /// Ends the vault's watches and drops its keys.
    pub(super) fn close_vault(&self, closed: Closed) {
        let before = {
            let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut *state, State::Closed(closed))
        };
        self.tell_of_closing();
        self.auth.forget();
        if let State::Open(vault) = before {
            vault.close_and_wait();
        }
        // What was read meanwhile by a call that had the vault still.
        self.auth.forget();
    }

    /// Reads the key again; the desktop's keyring may ask its user.
    pub fn unlock(&self, passphrase: Option<&SecretBytes>) -> Result<(), Box<Status>> {
        let mut keyring = self.lock_attempt();
        if let State::Open(_) = &*self.read() {
            return unlock_for_secrets(keyring.as_deref());
        }
        let unlocked = self.keyring(&mut keyring).and_then(|keyring| {
            let from_file = if passphrase.is_none() {
                self.passphrase_from_file()?
            } else {
                None
            };
            self.unlock_keyring(&keyring, passphrase.or(from_file.as_ref()))
        });
        if let Err(closed) = unlocked {
            let status = if closed.wrong_passphrase {
                refusal(Reason::WrongPassphrase, closed.explanation.clone(), &[])
            } else {
                closed.refuse()
            };
            let _ = self.settle(Err(closed));
            return Err(Box::new(status));
        }
        let opened = self.open(&mut keyring, Interaction::Allowed);
        let opened = self.settle(opened);
        self.go_on(&opened, keyring.as_ref());
        opened.map(drop).map_err(|closed| Box::new(closed.refuse()))
    }
}

/// Unlocks the keyring of a vault that is open: it may hold secrets, and lock itself at any time.
fn unlock_for_secrets(keyring: Option<&Keyring>) -> Result<(), Box<Status>> {
    let unlocked = match keyring {
        Some(keyring) if keyring.kind().holds_secrets() => keyring.unlock(None),
        _ => Ok(()),
    };
    unlocked.map_err(|error| Box::new(key_error::key_source(&key_source_error(error))))
}
