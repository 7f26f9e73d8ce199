//! Keyrings in memory whose every change is part of what a crash may interrupt, and which fail as
//! told.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use vault_crypto::{SecretBytes, VaultId};
use vault_store::{KeyEntry, KeySource, KeySourceError};

use super::{
    secrets::Secrets,
    simulated::{Operation, SimulatedFileSystem},
};

/// What several backends hold, together.
pub(crate) type Entries = BTreeMap<(&'static str, VaultId, KeyEntry), Vec<u8>>;

/// The backend of every vault that is not moved.
pub(crate) const BACKEND: &str = "test";
/// Where a vault is moved to.
pub(crate) const OTHER: &str = "other";

/// How a keyring fails.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum KeyringFault {
    /// Waits to be unlocked: nothing is done.
    Locked,
    /// Nobody answers: nothing is done.
    Gone,
    /// The answer comes too late: it was done.
    Slow,
    /// Reads, but takes nothing.
    RefusesWrites,
    /// Says that it was done, and forgets.
    Forgets,
}

impl KeyringFault {
    pub(crate) const ALL: [Self; 5] = [
        Self::Locked,
        Self::Gone,
        Self::Slow,
        Self::RefusesWrites,
        Self::Forgets,
    ];
}

#[derive(Default)]
struct Plan {
    calls: usize,
    /// Which call goes wrong, and all after it.
    fault: Option<(usize, KeyringFault)>,
    struck: bool,
}

/// A keyring backend in memory; what it was given stays. Cloned, it is the same one.
#[derive(Clone)]
pub(crate) struct Keyring {
    backend: &'static str,
    writable: bool,
    entries: Arc<Mutex<Entries>>,
    /// What it holds beside storage keys.
    pub(super) secrets: Arc<Mutex<Secrets>>,
    pub(super) log: Option<SimulatedFileSystem>,
    plan: Arc<Mutex<Plan>>,
}

impl Default for Keyring {
    fn default() -> Self {
        Self::of(Entries::new())
    }
}

pub(super) fn hold<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Keyring {
    pub(crate) fn of(entries: Entries) -> Self {
        Self {
            backend: BACKEND,
            writable: true,
            entries: Arc::new(Mutex::new(entries)),
            secrets: Arc::default(),
            log: None,
            plan: Arc::default(),
        }
    }

    /// The same, with its changes noted among those of a file system.
    pub(crate) fn logged(self, log: SimulatedFileSystem) -> Self {
        Self {
            log: Some(log),
            ..self
        }
    }

    /// Another backend beside this one.
    pub(crate) fn backend_named(&self, backend: &'static str) -> Self {
        Self {
            backend,
            ..self.clone()
        }
    }

    /// One whose entries come from outside.
    pub(crate) fn read_only(&self, backend: &'static str) -> Self {
        Self {
            writable: false,
            ..self.backend_named(backend)
        }
    }

    pub(crate) fn backend_name(&self) -> &'static str {
        self.backend
    }

    pub(crate) fn entries(&self) -> Entries {
        hold(&self.entries).clone()
    }

    /// Puts an entry there from outside, or removes it.
    pub(crate) fn present(&self, vault: VaultId, entry: KeyEntry, secret: Option<&[u8]>) {
        let place = (self.backend, vault, entry);
        let mut entries = hold(&self.entries);
        match secret {
            Some(secret) => entries.insert(place, secret.to_vec()),
            None => entries.remove(&place),
        };
    }

    /// The one storage key there is.
    pub(crate) fn storage_key(&self) -> (VaultId, Vec<u8>) {
        let entries = hold(&self.entries);
        let mut keys = entries
            .iter()
            .filter(|((_, _, entry), _)| *entry == KeyEntry::StorageKey);
        let ((_, vault, _), key) = keys.next().expect("one vault");
        (*vault, key.clone())
    }

    /// From now on, the call of this number and all after it go wrong.
    pub(crate) fn strike(&self, call: usize, fault: KeyringFault) {
        *hold(&self.plan) = Plan {
            fault: Some((call, fault)),
            ..Plan::default()
        };
    }

    /// Works again; whether there was a call to go wrong.
    pub(crate) fn heal(&self) -> bool {
        let mut plan = hold(&self.plan);
        plan.fault = None;
        plan.struck
    }

    /// The fault that strikes this call.
    fn fault(&self) -> Option<KeyringFault> {
        let mut plan = hold(&self.plan);
        let call = plan.calls;
        plan.calls += 1;
        let (at, fault) = plan.fault.filter(|(at, _)| call >= *at)?;
        plan.struck |= call >= at;
        Some(fault)
    }

    fn failure(fault: KeyringFault) -> KeySourceError {
        let text = format!("told so ({fault:?})");
        match fault {
            KeyringFault::Locked => KeySourceError::Locked(text),
            KeyringFault::Slow => KeySourceError::TimedOut(text),
            KeyringFault::RefusesWrites => KeySourceError::Denied(text),
            KeyringFault::Gone | KeyringFault::Forgets => KeySourceError::Unreachable(text),
        }
    }

    /// Makes a change, unless that goes wrong.
    pub(super) fn make(&self, change: impl FnOnce()) -> Result<(), KeySourceError> {
        let fault = self.fault();
        if !matches!(
            fault,
            None | Some(KeyringFault::Slow | KeyringFault::Forgets)
        ) {
            return fault.map_or(Ok(()), |fault| Err(Self::failure(fault)));
        }
        if fault != Some(KeyringFault::Forgets) {
            change();
        }
        match fault {
            Some(KeyringFault::Slow) => Err(Self::failure(KeyringFault::Slow)),
            _ => Ok(()),
        }
    }

    /// Reads, unless that goes wrong.
    pub(super) fn look(&self) -> Result<(), KeySourceError> {
        match self.fault() {
            None | Some(KeyringFault::RefusesWrites | KeyringFault::Forgets) => Ok(()),
            Some(fault) => Err(Self::failure(fault)),
        }
    }

    fn change(&self, change: impl FnOnce(&mut Entries)) -> Result<(), KeySourceError> {
        self.make(|| {
            let mut entries = hold(&self.entries);
            change(&mut entries);
            if let Some(log) = &self.log {
                log.note(Operation::Keyring {
                    entries: entries.clone(),
                });
            }
        })
    }
}

impl KeySource for Keyring {
    fn backend(&self) -> &str {
        self.backend
    }

    fn is_writable(&self) -> bool {
        self.writable
    }

    fn load(&self, vault: VaultId, entry: KeyEntry) -> Result<Option<SecretBytes>, KeySourceError> {
        self.look()?;
        if !self.writable && entry != KeyEntry::StorageKey {
            return Err(KeySourceError::Unsupported("read only".to_owned()));
        }
        let entries = hold(&self.entries);
        let secret = entries.get(&(self.backend, vault, entry));
        Ok(secret.map(|secret| SecretBytes::new(secret.clone())))
    }

    fn save(&self, vault: VaultId, entry: KeyEntry, secret: &[u8]) -> Result<(), KeySourceError> {
        if !self.writable {
            return Err(KeySourceError::Unsupported("read only".to_owned()));
        }
        self.change(|entries| {
            entries.insert((self.backend, vault, entry), secret.to_vec());
        })
    }

    fn remove(&self, vault: VaultId, entry: KeyEntry) -> Result<(), KeySourceError> {
        if !self.writable {
            return Err(KeySourceError::Unsupported("read only".to_owned()));
        }
        self.change(|entries| {
            entries.remove(&(self.backend, vault, entry));
        })
    }
}
