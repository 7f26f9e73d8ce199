//! The vault as a whole.

use std::path::PathBuf;

use vault_proto::v1::{self, InitRequest, LockRequest, StatusRequest, UnlockRequest};

use crate::{Client, Error, SecretPlace, StorageLocations};

/// Where the storage key stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum KeyState {
    /// The daemon has just started and is asking the keyring.
    Starting,
    /// Every call is served.
    Open,
    /// There is no vault yet; the first use sets it up.
    Uninitialized,
    /// Locked on purpose.
    Locked,
    /// The keyring, or the passphrase file, waits to be unlocked.
    KeyringLocked,
    /// No keyring answers.
    KeyringUnavailable,
    /// The keyring refused.
    KeyringDenied,
    /// The keyring did not answer in time.
    KeyringTimeout,
    /// Data is there, its key is not.
    KeyMissing,
    /// The key found is another vault's.
    WrongKey,
    /// The vault's own files cannot be read.
    Damaged,
    /// A state of a later version.
    Unknown,
}

impl KeyState {
    /// The word for it in status output.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Open => "open",
            Self::Uninitialized => "uninitialized",
            Self::Locked => "locked",
            Self::KeyringLocked => "keyring-locked",
            Self::KeyringUnavailable => "keyring-unavailable",
            Self::KeyringDenied => "keyring-denied",
            Self::KeyringTimeout => "keyring-timeout",
            Self::KeyMissing => "key-missing",
            Self::WrongKey => "wrong-key",
            Self::Damaged => "damaged",
            Self::Unknown => "unknown",
        }
    }
}

impl From<v1::KeyState> for KeyState {
    fn from(state: v1::KeyState) -> Self {
        match state {
            v1::KeyState::Starting => Self::Starting,
            v1::KeyState::Open => Self::Open,
            v1::KeyState::Uninitialized => Self::Uninitialized,
            v1::KeyState::Locked => Self::Locked,
            v1::KeyState::KeyringLocked => Self::KeyringLocked,
            v1::KeyState::KeyringUnavailable => Self::KeyringUnavailable,
            v1::KeyState::KeyringDenied => Self::KeyringDenied,
            v1::KeyState::KeyringTimeout => Self::KeyringTimeout,
            v1::KeyState::KeyMissing => Self::KeyMissing,
            v1::KeyState::WrongKey => Self::WrongKey,
            v1::KeyState::Damaged => Self::Damaged,
            v1::KeyState::Unspecified => Self::Unknown,
        }
    }
}

/// What the daemon says of itself and its vault.
#[derive(Clone, Debug)]
pub struct Status {
    /// Version of the daemon.
    pub version: String,
    /// Its process.
    pub pid: u32,
    /// The folder of the vault.
    pub data_root: PathBuf,
    /// Where it listens.
    pub socket: PathBuf,
    /// 32 hex digits; empty before the vault is set up.
    pub vault_id: String,
    /// Where the key stands.
    pub key_state: KeyState,
    /// `os`, `passphrase`, `systemd-creds` or `memory`.
    pub keyring_backend: String,
    /// What is wrong; empty when open.
    pub explanation: String,
    /// The ways out.
    pub remedies: Vec<String>,
    /// Check value of the storage key; empty unless open.
    pub key_fingerprint: String,
    /// How many stores; 0 unless open.
    pub stores: u32,
    /// Start of the daemon, in milliseconds since 1970.
    pub started_ms: i64,
    /// The key ends with the daemon.
    pub ephemeral: bool,
    /// Core dumps and debuggers of the same user are kept out.
    pub non_dumpable: bool,
    /// Where the values of secrets go; unknown unless open.
    pub secret_place: SecretPlace,
    /// How many secrets are listed; 0 unless open.
    pub secrets: u64,
    /// What is wrong with the audit log; empty where nothing is.
    pub audit_problem: String,
    /// Where everything of it lies.
    pub storage_locations: StorageLocations,
}

pub(crate) fn millis(time: Option<prost_types::Timestamp>) -> i64 {
    time.map_or(0, |time| {
        time.seconds * 1000 + i64::from(time.nanos) / 1_000_000
    })
}

impl Client {
    /// What the daemon says of itself; answered in every key state.
    pub async fn status(&self) -> Result<Status, Error> {
        let status = self
            .services
            .vault()
            .status(StatusRequest {})
            .await?
            .into_inner();
        Ok(Status {
            key_state: status.key_state().into(),
            secret_place: SecretPlace::received(status.secret_place()),
            version: status.version,
            pid: status.pid,
            data_root: status.data_root.into(),
            socket: status.socket.into(),
            vault_id: status.vault_id,
            keyring_backend: status.keyring_backend,
            explanation: status.explanation,
            remedies: status.remedies,
            key_fingerprint: status.key_fingerprint,
            stores: status.stores,
            started_ms: millis(status.started),
            ephemeral: status.ephemeral,
            non_dumpable: status.non_dumpable,
            secrets: status.secrets,
            audit_problem: status.audit_problem,
            storage_locations: status.storage_locations.unwrap_or_default().into(),
        })
    }

    /// Sets up the vault of an empty data root; returns the backend it got.
    pub async fn init(
        &self,
        keyring_backend: Option<&str>,
        passphrase: Option<&[u8]>,
    ) -> Result<String, Error> {
        let request = InitRequest {
            keyring_backend: keyring_backend.unwrap_or_default().to_owned(),
            passphrase: passphrase.unwrap_or_default().to_vec(),
        };
        Ok(self
            .services
            .vault()
            .init(request)
            .await?
            .into_inner()
            .keyring_backend)
    }

    /// Drops every key.
    pub async fn lock(&self) -> Result<(), Error> {
        self.services.vault().lock(LockRequest {}).await?;
        Ok(())
    }

    /// Reads the key again; a desktop keyring may ask its user.
    pub async fn unlock(&self, passphrase: Option<&[u8]>) -> Result<(), Error> {
        let passphrase = passphrase.unwrap_or_default().to_vec();
        self.services
            .vault()
            .unlock(UnlockRequest { passphrase })
            .await?;
        Ok(())
    }
}
