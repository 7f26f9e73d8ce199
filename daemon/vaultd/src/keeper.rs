//! Keeps the vault: opens it when its key can be had, mints nothing on its own account, drops it
//! on lock. Every call that needs the vault asks here.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock},
    time::Duration,
};

use tonic::Status;
use vault_crypto::SecretBytes;
use vault_keyring::{
    Backend, BackendKind, Interaction, Keyring, memory::MemoryBackend, os::OsBackend,
    passphrase::PassphraseBackend,
};
use vault_proto::v1::{KeyState, Reason};
use vault_store::{
    DataRoot, DiskFileSystem, KeySourceError, OpenError, Vault,
    size_class::SizeLimits,
    vault::{Evidence, VaultOptions},
};

use crate::{
    config::Config,
    error::{refusal, store_error},
    key_source::{KeyringSource, key_source_error},
    key_state::Closed,
};

/// How long an answer that no key is to be had is believed before a call tries again.
const RETRY_AFTER: Duration = Duration::from_millis(500);

/// What the keeper is told from outside.
struct Settings {
    data_root: PathBuf,
    /// The backend, where the configuration names one.
    backend: Option<BackendKind>,
    passphrase_file: Option<PathBuf>,
    keyring_deadline: Duration,
    size_limits: SizeLimits,
}

enum State {
    Open(Arc<Vault>),
    Closed(Closed),
}

/// Keeps one vault. Methods block: they are called from blocking threads.
pub struct Keeper {
    settings: Settings,
    root: DataRoot,
    state: RwLock<State>,
    /// Held while the keyring is asked, so that a slow one is asked once.
    attempt: Mutex<Option<Arc<Keyring>>>,
}

/// What is known of the key without asking anybody.
pub struct KeyStatus {
    /// Open, or why not.
    pub vault: Result<Arc<Vault>, Closed>,
    /// The vault's backend, or the one it will get.
    pub backend: String,
    /// The vault's id, where there is one.
    pub vault_id: Option<String>,
}

impl Keeper {
    /// A keeper that has not looked for the key yet.
    pub fn new(config: &Config) -> Self {
        let data_root = config.place.data_root.clone();
        let starting = "vaultd has just started and is asking the keyring";
        Self {
            root: DataRoot::new(Arc::new(DiskFileSystem), data_root.clone()),
            settings: Settings {
                data_root,
                backend: config.keyring,
                passphrase_file: config.passphrase_file.clone(),
                keyring_deadline: config.keyring_deadline(),
                size_limits: config.size_limits,
            },
            state: RwLock::new(State::Closed(Closed::unavailable(starting, "try again"))),
            attempt: Mutex::new(None),
        }
    }

    /// The first look for the key, right after the start: probes the keyring, opens the vault of a
    /// root that has one, and shows no dialog.
    pub fn start(&self) {
        let mut keyring = self.lock_attempt();
        let opened = self.probe(&mut keyring).and_then(|()| self.open(&mut keyring, Interaction::Forbidden));
        let _ = self.settle(opened);
    }

    /// The open vault, or the status to answer with.
    ///
    /// Where no key was to be had, looks again; an empty data root gets its vault here, on first
    /// use.
    pub fn vault(&self) -> Result<Arc<Vault>, Box<Status>> {
        if let State::Open(vault) = &*self.read() {
            return Ok(Arc::clone(vault));
        }
        let mut keyring = self.lock_attempt();
        let closed = match &*self.read() {
            State::Open(vault) => return Ok(Arc::clone(vault)),
            State::Closed(closed) => closed.clone(),
        };
        let fresh = closed.since.elapsed() < RETRY_AFTER && closed.state != KeyState::Uninitialized;
        if !closed.may_come_to_life() || fresh {
            return Err(Box::new(closed.refuse()));
        }
        let opened = match self.open(&mut keyring, Interaction::Forbidden) {
            Err(closed) if closed.state == KeyState::Uninitialized => {
                self.create(&mut keyring, Interaction::Forbidden)
            }
            opened => opened,
        };
        self.settle(opened).map_err(|closed| Box::new(closed.refuse()))
    }

    /// Sets up the vault of an empty data root in `backend`, or the configured one.
    pub fn init(
        &self,
        backend: Option<BackendKind>,
        passphrase: Option<&SecretBytes>,
    ) -> Result<Arc<Vault>, Box<Status>> {
        let mut keyring = self.lock_attempt();
        let evidence = Evidence::gather(&self.root).map_err(|error| Box::new(store_error(&error)))?;
        if !evidence.is_none() {
            let text = "there is a vault in this data root already; `vaultctl status` shows it";
            return Err(Box::new(refusal(Reason::AlreadyExists, text, &[])));
        }
        if let Some(backend) = backend {
            let ephemeral = self.settings.backend == Some(BackendKind::Memory);
            if ephemeral != (backend == BackendKind::Memory) {
                let text = "the memory backend goes with --ephemeral, and only with it";
                return Err(Box::new(refusal(Reason::InvalidArgument, text, &[])));
            }
            *keyring = Some(self.new_keyring(backend));
        }
        if let Some(passphrase) = passphrase {
            self.keyring(&mut keyring)
                .and_then(|keyring| self.unlock_keyring(&keyring, Some(passphrase)))
                .map_err(|closed| Box::new(closed.refuse()))?;
        }
        let created = self.create(&mut keyring, Interaction::Allowed);
        self.settle(created).map_err(|closed| Box::new(closed.refuse()))
    }

    /// Drops every key. Calls in flight end with `LOCKED`.
    pub fn lock(&self) {
        let keyring = self.lock_attempt();
        if let Some(keyring) = &*keyring
            && let Err(error) = keyring.lock()
        {
            tracing::warn!(%error, "the keyring could not be told to forget");
        }
        let before = {
            let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut *state, State::Closed(Closed::locked()))
        };
        if let State::Open(vault) = before {
            vault.close();
        }
        tracing::info!("locked");
    }

    /// Reads the key again; the desktop's keyring may ask its user.
    pub fn unlock(&self, passphrase: Option<&SecretBytes>) -> Result<(), Box<Status>> {
        let mut keyring = self.lock_attempt();
        if let State::Open(_) = &*self.read() {
            return Ok(());
        }
        let unlocked = self.keyring(&mut keyring).and_then(|keyring| {
            let from_file = if passphrase.is_none() { self.passphrase_from_file()? } else { None };
            self.unlock_keyring(&keyring, passphrase.or(from_file.as_ref()))
        });
        if let Err(closed) = unlocked {
            // A wrong passphrase changes nothing about a vault that was locked before.
            let status = if closed.explanation == KeySourceError::WrongPassphrase.to_string() {
                refusal(Reason::WrongPassphrase, closed.explanation.clone(), &[])
            } else {
                closed.refuse()
            };
            let _ = self.settle(Err(closed));
            return Err(Box::new(status));
        }
        let opened = self.open(&mut keyring, Interaction::Allowed);
        self.settle(opened).map(drop).map_err(|closed| Box::new(closed.refuse()))
    }

    /// What is known without asking anybody.
    pub fn status(&self) -> KeyStatus {
        let vault = match &*self.read() {
            State::Open(vault) => Ok(Arc::clone(vault)),
            State::Closed(closed) => Err(closed.clone()),
        };
        let evidence = Evidence::gather(&self.root).ok();
        let header = evidence.as_ref().and_then(Evidence::header);
        let backend = header.map_or_else(
            || self.settings.backend.unwrap_or(BackendKind::Os).to_string(),
            |header| header.backend.clone(),
        );
        let vault_id = evidence.as_ref().and_then(Evidence::vault).map(|id| id.to_string());
        KeyStatus { vault, backend, vault_id }
    }

    /// Ends the vault's watches and calls, for the daemon's own end.
    pub fn close(&self) {
        if let State::Open(vault) = &*self.read() {
            vault.close();
        }
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_attempt(&self) -> MutexGuard<'_, Option<Arc<Keyring>>> {
        self.attempt.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes the outcome of an attempt the state in force.
    fn settle(&self, outcome: Result<Vault, Closed>) -> Result<Arc<Vault>, Closed> {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        match outcome {
            Ok(vault) => {
                tracing::info!(vault = %vault.id(), "open");
                let vault = Arc::new(vault);
                *state = State::Open(Arc::clone(&vault));
                Ok(vault)
            }
            Err(closed) => {
                tracing::warn!(
                    state = closed.state.as_str_name(),
                    explanation = closed.explanation,
                    "not open"
                );
                *state = State::Closed(closed.clone());
                Err(closed)
            }
        }
    }

    /// The backend in force: the vault's own, which the configuration must not contradict, or the
    /// configured one, or the operating system's.
    fn backend(&self) -> Result<BackendKind, Closed> {
        let evidence = Evidence::gather(&self.root)
            .map_err(|error| Closed::from_open_error(&OpenError::Store(error), BackendKind::Os, true))?;
        let Some(header) = evidence.header() else {
            return Ok(self.settings.backend.unwrap_or(BackendKind::Os));
        };
        let Ok(own) = header.backend.parse::<BackendKind>() else {
            return Err(Closed::unknown_backend(&header.backend));
        };
        match self.settings.backend {
            Some(configured) if configured != own => {
                Err(Closed::other_backend(&header.backend, configured))
            }
            _ => Ok(own),
        }
    }

    /// The keyring in use, made on first need.
    fn keyring(&self, slot: &mut Option<Arc<Keyring>>) -> Result<Arc<Keyring>, Closed> {
        let backend = match slot {
            // A vault that `init` is about to create has no header that could name its backend.
            Some(keyring) if self.uninitialized() => keyring.kind(),
            _ => self.backend()?,
        };
        match slot {
            Some(keyring) if keyring.kind() == backend => Ok(Arc::clone(keyring)),
            _ => {
                let keyring = self.new_keyring(backend);
                if backend == BackendKind::Passphrase
                    && let Some(passphrase) = self.passphrase_from_file()?
                {
                    self.unlock_keyring(&keyring, Some(&passphrase))?;
                }
                *slot = Some(Arc::clone(&keyring));
                Ok(keyring)
            }
        }
    }

    fn uninitialized(&self) -> bool {
        Evidence::gather(&self.root).is_ok_and(|evidence| evidence.is_none())
    }

    fn new_keyring(&self, backend: BackendKind) -> Arc<Keyring> {
        let backend: Box<dyn Backend> = match backend {
            BackendKind::Os => Box::new(OsBackend::new()),
            BackendKind::Passphrase => {
                Box::new(PassphraseBackend::new(self.settings.data_root.clone(), None))
            }
            BackendKind::Memory => Box::new(MemoryBackend::new()),
        };
        Arc::new(Keyring::new(backend, self.settings.keyring_deadline))
    }

    fn passphrase_from_file(&self) -> Result<Option<SecretBytes>, Closed> {
        let Some(path) = &self.settings.passphrase_file else { return Ok(None) };
        let mut bytes = std::fs::read(path).map_err(|error| {
            Closed::unavailable(
                format!("the passphrase file {} cannot be read: {error}", path.display()),
                "make it readable for this user, then run `vaultctl unlock`",
            )
        })?;
        // Editors and `echo` end a file with a newline that is no part of the passphrase.
        while matches!(bytes.last(), Some(b'\n' | b'\r')) {
            bytes.pop();
        }
        Ok(Some(SecretBytes::new(bytes)))
    }

    fn unlock_keyring(
        &self,
        keyring: &Keyring,
        passphrase: Option<&SecretBytes>,
    ) -> Result<(), Closed> {
        let initialized = !self.uninitialized();
        keyring.unlock(passphrase).map_err(|error| {
            Closed::from_key_source(&key_source_error(error), keyring.kind(), initialized)
        })
    }

    /// Finds out whether the keyring works at all, so that one that does not shows at once.
    fn probe(&self, slot: &mut Option<Arc<Keyring>>) -> Result<(), Closed> {
        let keyring = self.keyring(slot)?;
        // A locked keyring is there; whether the key is in it shows when it is unlocked.
        keyring.probe().map(drop).map_err(|error| {
            let initialized = !self.uninitialized();
            Closed::from_key_source(&key_source_error(error), keyring.kind(), initialized)
        })
    }

    fn options(&self) -> VaultOptions {
        VaultOptions { limits: self.settings.size_limits, ..VaultOptions::default() }
    }

    fn open(
        &self,
        slot: &mut Option<Arc<Keyring>>,
        interaction: Interaction,
    ) -> Result<Vault, Closed> {
        let keyring = self.keyring(slot)?;
        let source = KeyringSource::new(&keyring, interaction);
        Vault::open(self.root.clone(), &source, self.options())
            .map_err(|error| Closed::from_open_error(&error, keyring.kind(), true))
    }

    fn create(
        &self,
        slot: &mut Option<Arc<Keyring>>,
        interaction: Interaction,
    ) -> Result<Vault, Closed> {
        let keyring = self.keyring(slot)?;
        let source = KeyringSource::new(&keyring, interaction);
        Vault::create(self.root.clone(), &source, self.options()).map_err(|error| {
            let closed = Closed::from_open_error(&error, keyring.kind(), false);
            let first_run = keyring.kind() == BackendKind::Passphrase
                && closed.state == KeyState::KeyringLocked;
            if first_run {
                return Closed {
                    state: KeyState::Uninitialized,
                    remedies: vec!["run `vaultctl init` and choose a passphrase".to_owned()],
                    ..closed
                };
            }
            closed
        })
    }
}
