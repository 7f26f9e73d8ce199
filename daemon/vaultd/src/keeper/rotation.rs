//! Rotations: begun on request, gone on with unasked at every opening, followed by whoever asks.

use std::{
    ops::ControlFlow,
    sync::{Arc, PoisonError},
};

use tokio::sync::watch;
use tonic::Status;
use vault_crypto::{Fingerprint, MasterKey, Salt, SecretBytes, StorageKey};
use vault_keyring::{Interaction, Keyring, SystemdCredsBackend};
use vault_proto::v1::Reason;
use vault_store::{
    Vault,
    rotation::{Depth, RotationError, RotationOutcome, RotationProgress, RotationRecord},
    vault::NextKey,
};

use super::Keeper;
use crate::{
    error::{refusal, store_error},
    key_error,
    key_source::KeyringSource,
};

/// What is heard of a rotation that is being worked on.
#[derive(Clone, Debug)]
pub enum RotationEvent {
    /// Nothing yet.
    Begun,
    /// It goes on.
    Progress(RotationProgress),
    /// It came to an end, or to a stop.
    Ended(Result<RotationOutcome, RotationError>),
}

/// The newest rotation that was worked on.
#[derive(Clone)]
pub(super) struct Followed {
    depth: Depth,
    events: watch::Receiver<RotationEvent>,
}

impl Followed {
    fn ended(&self) -> bool {
        // A thread that is gone without a word works on nothing.
        matches!(&*self.events.borrow(), RotationEvent::Ended(_))
            || self.events.has_changed().is_err()
    }
}

/// A rotation that was asked for.
pub struct Rotating {
    /// What is heard of it.
    pub events: watch::Receiver<RotationEvent>,
    /// The vault.
    pub vault: Arc<Vault>,
    /// For a keyring that cannot be written: what to present at the next start.
    pub credential: Option<SecretBytes>,
}

/// Where a rotation stands.
pub struct RotationStatus {
    /// What is durably known of it.
    pub record: RotationRecord,
    /// How far it has come in this process.
    pub progress: Option<RotationProgress>,
    /// It is being worked on.
    pub running: bool,
    /// Why it stopped.
    pub error: Option<String>,
}

/// Where the next storage key is to come from, as a client says it.
pub enum Next {
    /// As before: random, or refused where that would end a derivation.
    AsBefore,
    /// Random, whatever it was.
    Random,
    /// Derived from this master key and a new salt.
    Derived(MasterKey),
}

impl Next {
    pub(super) fn key(self) -> Result<NextKey, Box<Status>> {
        Ok(match self {
            Self::AsBefore => NextKey::Random { drop_salt: false },
            Self::Random => NextKey::Random { drop_salt: true },
            Self::Derived(master) => {
                let salt = Salt::generate().map_err(|error| store_error(&error.into()))?;
                let key = StorageKey::derive(&master, &salt);
                NextKey::Derived { key, salt }
            }
        })
    }
}

impl Keeper {
    /// Begins a rotation, or joins the one of this depth that is being worked on.
    pub fn rotate(&self, depth: Depth, next: Next) -> Result<Rotating, Box<Status>> {
        let _busy = self.busy();
        let vault = self.vault()?;
        let mut slot = self.lock_attempt();
        if let Some(followed) = self.followed()
            && followed.depth == depth
            && matches!(next, Next::AsBefore)
            && !followed.ended()
        {
            let events = followed.events;
            return Ok(Rotating {
                events,
                vault,
                credential: None,
            });
        }
        let keyring = self
            .keyring(&mut slot)
            .map_err(|closed| Box::new(closed.refuse()))?;
        let source = KeyringSource::new(&keyring, Interaction::Allowed);
        if let Next::Derived(master) = &next
            && vault.is_derived_from(master) == Some(false)
        {
            let text = "this is not the master key that the storage key was derived from; \
                        `vaultctl key derive` sets another";
            return Err(Box::new(refusal(Reason::WrongKey, text, &[])));
        }
        let handed_out = vault
            .begin_rotation(&source, depth, next.key()?)
            .map_err(|error| Box::new(self.rotation_refusal(&error)))?;
        let credential = handed_out.map(|key| SystemdCredsBackend::credential(key.expose()));
        let events = self.work_on(&vault, depth, keyring);
        Ok(Rotating {
            events,
            vault,
            credential,
        })
    }

    /// Goes on with a rotation that was paused or stopped.
    pub fn resume_rotation(&self) -> Result<Rotating, Box<Status>> {
        let vault = self.vault()?;
        let mut slot = self.lock_attempt();
        let record = vault.rotation();
        let record = record.ok_or_else(|| Box::new(key_error::rotation(&RotationError::None)))?;
        vault.unpause_rotation();
        let running = self.followed().filter(|followed| !followed.ended());
        let events = if let Some(followed) = running {
            followed.events
        } else {
            let keyring = self
                .keyring(&mut slot)
                .map_err(|closed| Box::new(closed.refuse()))?;
            self.work_on(&vault, record.depth, keyring)
        };
        Ok(Rotating {
            events,
            vault,
            credential: None,
        })
    }

    /// Stops a rotation between two objects.
    pub fn pause_rotation(&self) -> Result<(), Box<Status>> {
        let paused = self.vault()?.pause_rotation();
        paused.map_err(|error| Box::new(self.rotation_refusal(&error)))
    }

    /// Turns a rotation round.
    pub fn roll_back_rotation(&self) -> Result<Rotating, Box<Status>> {
        let vault = self.vault()?;
        let keyring = self
            .keyring(&mut self.lock_attempt())
            .map_err(|closed| Box::new(closed.refuse()))?;
        let source = KeyringSource::new(&keyring, Interaction::Allowed);
        if let Err(error) = vault.roll_back_rotation(&source) {
            // Who worked on it may have made room for nothing.
            self.go_on_with_rotation(&vault, &keyring);
            return Err(Box::new(self.rotation_refusal(&error)));
        }
        // Not who worked on it so far: that one has made room and is about to say so.
        let depth = vault
            .rotation()
            .map_or(Depth::Rewrap, |record| record.depth);
        let events = self.work_on(&vault, depth, keyring);
        Ok(Rotating {
            events,
            vault,
            credential: None,
        })
    }

    /// Where the rotation of an open vault stands, if there is one.
    pub fn rotation_status(&self, vault: &Vault) -> Option<RotationStatus> {
        let record = vault.rotation()?;
        let event = self
            .followed()
            .map(|followed| followed.events.borrow().clone());
        let (progress, running, error) = match event {
            Some(RotationEvent::Progress(progress)) => (Some(progress), true, None),
            Some(RotationEvent::Begun) => (None, true, None),
            Some(RotationEvent::Ended(Err(error))) => (None, false, Some(error.to_string())),
            Some(RotationEvent::Ended(Ok(_))) | None => (None, false, None),
        };
        Some(RotationStatus {
            record,
            progress,
            running,
            error,
        })
    }

    /// Goes on, unasked, with what was half done when the vault was opened.
    pub(super) fn go_on_with_rotation(&self, vault: &Arc<Vault>, keyring: &Arc<Keyring>) {
        if let Some(record) = vault.rotation().filter(|record| !record.paused) {
            tracing::info!(?record, "a rotation was half done: it goes on");
            self.work_on(vault, record.depth, Arc::clone(keyring));
        }
    }

    /// Whether a rotation is being worked on.
    pub(super) fn is_rotating(&self) -> bool {
        self.followed().is_some_and(|followed| !followed.ended())
    }

    fn followed(&self) -> Option<Followed> {
        self.rotation
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Brings the rotation to its end on a thread of its own: it goes on when its caller goes away.
    fn work_on(
        &self,
        vault: &Arc<Vault>,
        depth: Depth,
        keyring: Arc<Keyring>,
    ) -> watch::Receiver<RotationEvent> {
        let (sender, events) = watch::channel(RotationEvent::Begun);
        let followed = Followed {
            depth,
            events: events.clone(),
        };
        *self.rotation.lock().unwrap_or_else(PoisonError::into_inner) = Some(followed);
        let vault = Arc::clone(vault);
        let work = move || {
            // Begun by a person or not, it shows no dialogs out of the blue.
            let source = KeyringSource::new(&keyring, Interaction::Forbidden);
            let ended = vault.advance_rotation(&source, &mut |progress| {
                sender.send_replace(RotationEvent::Progress(progress.clone()));
                ControlFlow::Continue(())
            });
            if let Err(error) = &ended {
                tracing::warn!(%error, "the rotation stopped");
            }
            // Before anybody is told that it ended: who locks then finds no key here.
            drop(vault);
            sender.send_replace(RotationEvent::Ended(ended));
        };
        let spawned = std::thread::Builder::new()
            .name("rotation".to_owned())
            .spawn(work);
        if let Err(error) = spawned {
            tracing::error!(%error, "no thread for the rotation");
        }
        events
    }

    /// What a client sees of a rotation's failure.
    pub fn rotation_refusal(&self, error: &RotationError) -> Status {
        match error {
            RotationError::Store(error) => self.refusal_of(error),
            error => key_error::rotation(error),
        }
    }
}

/// Whether an export of the key opens a vault whose key has this check value.
pub fn opens(exported: Fingerprint, vault: &Vault) -> bool {
    exported == vault.fingerprint()
}
