//! Keeps the vault: opens it when its key can be had, mints nothing on its own account, drops it
//! on lock. Every call that needs the vault asks here.

mod activity;
mod attempts;
mod audit;
mod auth;
mod backend;
pub mod doctor;
pub mod keys;
mod locking;
pub mod maintenance;
pub mod moving_in;
mod opening;
mod reloading;
pub mod rotation;
mod secrets;
mod summary;
mod wiping;

use std::{
    path::PathBuf,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::sync::{Notify, watch};
use tonic::Status;
use vault_crypto::SecretBytes;
use vault_keyring::{BackendKind, Interaction, Keyring};
use vault_proto::v1::{KeyState, Reason};
use vault_store::{
    DataRoot, DiskFileSystem, StoreError, Vault, size_class::SizeLimits, vault::Evidence,
};

pub(crate) use self::summary::counted;
use self::{
    activity::{Activity, Busy},
    attempts::Attempts,
    auth::AuthTables,
    maintenance::Upkeep,
    rotation::Followed,
};
use crate::{
    audit::Auditor,
    config::Config,
    error::{refusal, store_error},
    key_state::Closed,
    locations::{Locations, Lookout},
};

/// How long an answer that no key is to be had is believed before a call tries again.
const RETRY_AFTER: Duration = Duration::from_millis(500);

/// What the keeper is told from outside, for good.
struct Settings {
    data_root: PathBuf,
    /// The backend, where the configuration names one.
    backend: Option<BackendKind>,
    keyring_deadline: Duration,
    size_limits: SizeLimits,
    locations: Locations,
}

enum State {
    Open(Arc<Vault>),
    Closed(Closed),
}

/// Keeps one vault. Methods block: they are called from blocking threads.
pub struct Keeper {
    settings: Settings,
    passphrase_file: RwLock<Option<PathBuf>>,
    root: DataRoot,
    state: RwLock<State>,
    /// Held while the keyring is asked, so that a slow one is asked once.
    attempt: Mutex<Option<Arc<Keyring>>>,
    /// The newest rotation that was worked on.
    rotation: Mutex<Option<Followed>>,
    /// Failures to open a key file.
    attempts: Attempts,
    activity: Activity,
    upkeep: Upkeep,
    /// Who may use the vault from outside.
    auth: AuthTables,
    audit: Arc<Auditor>,
    lookout: Lookout,
    /// Whether a legacy root is being moved in.
    moving_in: AtomicBool,
    stopping: AtomicBool,
    /// How often an open vault was closed.
    closings: watch::Sender<u64>,
    /// Told of whatever may change its summary.
    changed: Notify,
    /// Told of a new configuration.
    reconfigured: Notify,
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

fn stopping() -> Status {
    refusal(Reason::ShuttingDown, "the daemon is stopping", &[])
}

impl Keeper {
    /// A keeper that has not looked for the key yet.
    pub fn new(config: &Config) -> Self {
        let data_root = config.place.data_root.clone();
        Self {
            root: DataRoot::new(Arc::new(DiskFileSystem), data_root.clone()),
            settings: Settings {
                data_root,
                backend: config.keyring,
                keyring_deadline: config.keyring_deadline(),
                size_limits: config.size_limits,
                locations: config.locations.clone(),
            },
            passphrase_file: RwLock::new(config.passphrase_file.clone()),
            state: RwLock::new(State::Closed(Closed::starting())),
            attempt: Mutex::new(None),
            rotation: Mutex::default(),
            attempts: Attempts::default(),
            activity: Activity::new(config.idle_lock),
            upkeep: Upkeep::new(config.maintenance),
            auth: AuthTables::default(),
            audit: Arc::new(Auditor::new(config.audit)),
            lookout: Lookout::default(),
            moving_in: AtomicBool::new(false),
            stopping: AtomicBool::new(false),
            closings: watch::Sender::new(0),
            changed: Notify::new(),
            reconfigured: Notify::new(),
        }
    }

    /// The first look for the key, right after the start: probes the keyring, opens the vault of a
    /// root that has one, and shows no dialog.
    pub fn start(&self) {
        let mut keyring = self.lock_attempt();
        let opened = self
            .probe(&mut keyring)
            .and_then(|()| self.open(&mut keyring, Interaction::Forbidden));
        let opened = self.settle(opened);
        self.go_on(&opened, keyring.as_ref());
        self.tell_of_legacy_root();
    }

    /// The open vault, or the status to answer with.
    ///
    /// Where no key was to be had, looks again; an empty data root gets its vault here, on first
    /// use.
    pub fn vault(&self) -> Result<Arc<Vault>, Box<Status>> {
        self.activity.touch();
        self.vault_or(|keyring, _| self.create(keyring, Interaction::Forbidden))
    }

    /// The same of a vault that is there already: none is made, and it counts as no use of it.
    pub fn existing_vault(&self) -> Result<Arc<Vault>, Box<Status>> {
        self.vault_or(|_, closed| Err(closed))
    }

    /// The open vault; where an empty data root has none, what `create` makes of it.
    fn vault_or(
        &self,
        create: impl FnOnce(&mut Option<Arc<Keyring>>, Closed) -> Result<Vault, Closed>,
    ) -> Result<Arc<Vault>, Box<Status>> {
        if self.stopping.load(Ordering::Acquire) {
            return Err(Box::new(stopping()));
        }
        if let State::Open(vault) = &*self.read() {
            return Ok(Arc::clone(vault));
        }
        let mut keyring = self.lock_attempt();
        let closed = match &*self.read() {
            State::Open(vault) => return Ok(Arc::clone(vault)),
            State::Closed(closed) => closed.clone(),
        };
        let unasked = matches!(closed.state, KeyState::Uninitialized | KeyState::Starting);
        let fresh = closed.since.elapsed() < RETRY_AFTER && !unasked;
        if !closed.may_come_to_life() || fresh {
            return Err(Box::new(closed.refuse()));
        }
        let opened = match self.open(&mut keyring, Interaction::Forbidden) {
            Err(closed) if closed.state == KeyState::Uninitialized => create(&mut keyring, closed),
            opened => opened,
        };
        let opened = self.settle(opened);
        self.go_on(&opened, keyring.as_ref());
        opened.map_err(|closed| Box::new(closed.refuse()))
    }

    /// Goes on with what was half done in a vault that was just opened, and with its records.
    fn go_on(&self, opened: &Result<Arc<Vault>, Closed>, keyring: Option<&Arc<Keyring>>) {
        if let (Ok(vault), Some(keyring)) = (opened, keyring) {
            self.open_audit(vault, keyring);
            self.go_on_with_rotation(vault, keyring);
        }
    }

    /// The vault, if it is open and nobody is in the way: does not block.
    pub fn vault_if_open(&self) -> Option<Arc<Vault>> {
        self.activity.touch();
        match &*self.state.try_read().ok()? {
            State::Open(vault) => Some(Arc::clone(vault)),
            State::Closed(_) => None,
        }
    }

    /// Sets up the vault of an empty data root in `backend`, or the configured one.
    pub fn init(
        &self,
        backend: Option<BackendKind>,
        passphrase: Option<&SecretBytes>,
    ) -> Result<Arc<Vault>, Box<Status>> {
        if let Some(passphrase) = passphrase {
            keys::strong(passphrase)?;
        }
        let mut keyring = self.lock_attempt();
        let evidence =
            Evidence::gather(&self.root).map_err(|error| Box::new(store_error(&error)))?;
        if !evidence.is_none() {
            let text = "there is a vault in this data root already; `vaultctl status` shows it";
            return Err(Box::new(refusal(Reason::AlreadyExists, text, &[])));
        }
        if let Some(backend) = backend {
            if self.is_ephemeral() != (backend == BackendKind::Memory) {
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
        let created = self.settle(created);
        self.go_on(&created, keyring.as_ref());
        created.map_err(|closed| Box::new(closed.refuse()))
    }

    /// Whether the vault ends with the daemon.
    fn is_ephemeral(&self) -> bool {
        self.settings.backend == Some(BackendKind::Memory)
    }

    /// The data root.
    pub fn root(&self) -> &DataRoot {
        &self.root
    }

    /// Work begins that may take its time: until this is dropped, the vault does not lock itself.
    pub fn busy(&self) -> Busy<'_> {
        self.activity.busy()
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
        let vault_id = evidence
            .as_ref()
            .and_then(Evidence::vault)
            .map(|id| id.to_string());
        KeyStatus {
            vault,
            backend,
            vault_id,
        }
    }

    /// Ends the vault's watches and calls, for the daemon's own end.
    pub fn close(&self) {
        self.write_auth_uses();
        self.stopping.store(true, Ordering::Release);
        self.audit.close("the daemon stops");
        if let State::Open(vault) = &*self.read() {
            vault.close();
        }
        self.tell_of_closing();
    }

    /// Changes when the vault is closed, for whoever waits for something else meanwhile. Asked for
    /// before the vault is.
    pub fn closings(&self) -> watch::Receiver<u64> {
        self.closings.subscribe()
    }

    fn tell_of_closing(&self) {
        self.closings.send_modify(|closings| *closings += 1);
        self.may_have_changed();
    }

    /// What a client sees of a store's failure: a store is closed by a lock, or by the end.
    pub fn refusal_of(&self, error: &StoreError) -> Status {
        let ending = self.stopping.load(Ordering::Acquire);
        match error {
            StoreError::Closed if ending => stopping(),
            error => store_error(error),
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
        self.may_have_changed();
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        match outcome {
            Ok(vault) => {
                tracing::info!(vault = %vault.id(), "open");
                let vault = Arc::new(vault);
                self.activity.touch();
                *state = State::Open(Arc::clone(&vault));
                Ok(vault)
            }
            Err(closed) => {
                let (key, explanation) = (closed.state.as_str_name(), &closed.explanation);
                if closed.state == KeyState::Uninitialized {
                    tracing::info!(key, "not open: {explanation}");
                } else {
                    tracing::warn!(key, "not open: {explanation}");
                }
                // A failed `unlock` of a vault locked on purpose is its caller's to hear: the vault
                // stays locked, and does not open by itself once the keyring would let it.
                if !matches!(&*state, State::Closed(now) if now.state == KeyState::Locked) {
                    *state = State::Closed(closed.clone());
                }
                Err(closed)
            }
        }
    }
}
