//! Every state a vault's key can be in, what it means for people and what leads out of it.

use std::time::Instant;

use tonic::Status;
use vault_keyring::{BackendKind, systemd_creds::CREDENTIAL};
use vault_proto::v1::{KeyState, Reason};
use vault_store::{KeySourceError, OpenError};

use crate::error::refusal;

/// A vault that is not open, and why.
#[derive(Clone, Debug)]
pub struct Closed {
    /// The state.
    pub state: KeyState,
    /// What is wrong.
    pub explanation: String,
    /// The ways out.
    pub remedies: Vec<String>,
    /// A passphrase was given, and not the right one.
    pub wrong_passphrase: bool,
    /// Since when.
    pub since: Instant,
}

impl Closed {
    /// Before the first answer of the keyring.
    pub fn starting() -> Self {
        let explanation = "vaultd has just started and is asking the keyring";
        Self::new(KeyState::Starting, explanation, ["try again in a moment"])
    }

    /// Locked on purpose.
    pub fn locked() -> Self {
        Self::new(
            KeyState::Locked,
            "the vault was locked",
            ["run `vaultctl unlock`"],
        )
    }

    /// Locked because nobody used it for so long.
    pub fn idle(after: std::time::Duration) -> Self {
        let explanation = format!(
            "the vault was locked after {} seconds without use (`idle_lock`)",
            after.as_secs()
        );
        Self::new(KeyState::Locked, explanation, ["run `vaultctl unlock`"])
    }

    /// The vault is sealed for another backend than the configuration names.
    pub fn other_backend(vault: &str, configured: BackendKind) -> Self {
        Self::new(
            KeyState::KeyringUnavailable,
            format!(
                "this vault keeps its key in the `{vault}` backend, the configuration names \
                 `{configured}`"
            ),
            [format!(
                "start vaultd with `--keyring {vault}`, or drop the setting"
            )],
        )
    }

    /// The vault names a backend this build does not know.
    pub fn unknown_backend(vault: &str) -> Self {
        Self::new(
            KeyState::KeyringUnavailable,
            format!("this vault keeps its key in backend `{vault}`, which this version lacks"),
            ["install a version of vaultd that knows it".to_owned()],
        )
    }

    /// Something about the configuration or the disk stands in the way.
    pub fn unavailable(explanation: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::new(KeyState::KeyringUnavailable, explanation, [remedy.into()])
    }

    fn new<const N: usize>(
        state: KeyState,
        explanation: impl Into<String>,
        remedies: [impl Into<String>; N],
    ) -> Self {
        Self {
            state,
            explanation: explanation.into(),
            remedies: remedies.into_iter().map(Into::into).collect(),
            wrong_passphrase: false,
            since: Instant::now(),
        }
    }

    /// What a failed opening means. `initialized` tells whether the data root holds a vault.
    pub fn from_open_error(error: &OpenError, backend: BackendKind, initialized: bool) -> Self {
        match error {
            OpenError::Uninitialized => Self::new(
                KeyState::Uninitialized,
                "there is no vault in this data root yet",
                ["run `vaultctl init`, or just store something"],
            ),
            OpenError::AlreadyInitialized => Self::new(
                KeyState::Damaged,
                error.to_string(),
                ["run `vaultctl status`"],
            ),
            OpenError::KeySource(error) => Self::from_key_source(error, backend, initialized),
            OpenError::KeyMissing(text) => Self::new(
                KeyState::KeyMissing,
                text.clone(),
                [
                    "run `vaultctl key import FILE` with an export of the key",
                    "run `vaultctl key derive` if the key was derived from a master key",
                    "or bring the key back into the keyring yourself, then run `vaultctl unlock`",
                    "without any of these the data cannot be read: move the data root away, run \
                     `vaultctl init`, then `vaultctl restore FILE` with a backup",
                ],
            ),
            OpenError::WrongKey { .. } => Self::new(
                KeyState::WrongKey,
                error.to_string(),
                [
                    "run `vaultctl key import FILE` with an export of the right key",
                    "or bring the right key back into the keyring, then run `vaultctl unlock`",
                ],
            ),
            OpenError::Damaged(_) | OpenError::Store(_) => Self::new(
                KeyState::Damaged,
                error.to_string(),
                [
                    "restore `vault.json`, `keys.a`, `keys.b` and `catalogue` from a backup, then \
                     run `vaultctl unlock`",
                    "or move the data root away, run `vaultctl init`, then `vaultctl restore FILE` \
                     with a backup made by `vaultctl backup`",
                ],
            ),
        }
    }

    /// What a keyring's failure means.
    pub fn from_key_source(
        error: &KeySourceError,
        backend: BackendKind,
        initialized: bool,
    ) -> Self {
        let explanation = error.to_string();
        match error {
            KeySourceError::Locked(_) | KeySourceError::WrongPassphrase => {
                let remedy = match backend {
                    BackendKind::Passphrase => "run `vaultctl unlock` and give the passphrase",
                    _ => "unlock the desktop's keyring, or run `vaultctl unlock`",
                };
                Self {
                    wrong_passphrase: matches!(error, KeySourceError::WrongPassphrase),
                    ..Self::new(KeyState::KeyringLocked, explanation, [remedy])
                }
            }
            KeySourceError::Denied(_) => Self::new(
                KeyState::KeyringDenied,
                explanation,
                ["allow vaultd in the keyring's own settings, then run `vaultctl unlock`"],
            ),
            KeySourceError::TimedOut(_) => Self::new(
                KeyState::KeyringTimeout,
                explanation,
                ["answer the keyring's dialog if there is one, then run `vaultctl unlock`"],
            ),
            KeySourceError::Damaged(_) => Self::new(
                KeyState::KeyMissing,
                explanation,
                [
                    "run `vaultctl key import FILE` with an export of the key",
                    "or bring the key back into the keyring, then run `vaultctl unlock`",
                ],
            ),
            KeySourceError::Unreachable(_) | KeySourceError::Unsupported(_)
                if backend == BackendKind::SystemdCreds =>
            {
                Self::new(
                    KeyState::KeyringUnavailable,
                    explanation,
                    [format!(
                        "start vaultd by its systemd unit, with \
                         `LoadCredentialEncrypted={CREDENTIAL}:...`"
                    )],
                )
            }
            KeySourceError::Unreachable(_) | KeySourceError::Unsupported(_) => {
                Self::unreachable(explanation, initialized)
            }
        }
    }

    /// The three ways out where no keyring answers.
    fn unreachable(explanation: String, initialized: bool) -> Self {
        let keyring = "start a Secret Service keyring (GNOME Keyring, KWallet, KeePassXC) in this \
                       session, then run `vaultctl unlock`";
        let passphrase = if initialized {
            "or, with an export of the key, start `vaultd --keyring passphrase` and run `vaultctl \
             key import FILE`"
        } else {
            "run `vaultctl init --keyring passphrase` to keep the key in a file under a passphrase"
        };
        let memory = "start `vaultd --ephemeral` for a vault that ends with the daemon";
        Self::new(
            KeyState::KeyringUnavailable,
            explanation,
            [keyring, passphrase, memory],
        )
    }

    /// Whether another try may open the vault without anybody telling the daemon.
    pub fn may_come_to_life(&self) -> bool {
        matches!(
            self.state,
            KeyState::KeyringLocked
                | KeyState::KeyringUnavailable
                | KeyState::KeyringTimeout
                | KeyState::KeyMissing
                | KeyState::WrongKey
                | KeyState::Damaged
                | KeyState::Uninitialized
                | KeyState::Starting
        )
    }

    /// The answer to a call that needs an open vault.
    pub fn refuse(&self) -> Status {
        let reason = match self.state {
            KeyState::Locked => Reason::Locked,
            KeyState::KeyringLocked => Reason::KeyringLocked,
            KeyState::KeyringDenied => Reason::KeyringDenied,
            KeyState::KeyringTimeout => Reason::KeyringTimeout,
            KeyState::KeyMissing | KeyState::Uninitialized => Reason::KeyMissing,
            KeyState::WrongKey => Reason::WrongKey,
            KeyState::Damaged => Reason::Corrupt,
            KeyState::KeyringUnavailable
            | KeyState::Starting
            | KeyState::Open
            | KeyState::Unspecified => Reason::KeyringUnavailable,
        };
        let text = format!(
            "{}; ways out: {}",
            self.explanation,
            self.remedies.join("; ")
        );
        refusal(reason, text, &[("state", self.state.as_str_name())])
    }
}
