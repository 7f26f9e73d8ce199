//! Every state a vault's key can be in, what it means for people and what leads out of it.

use std::time::Instant;

use tonic::Status;
use vault_keyring::BackendKind;
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
                    "bring the key back into the keyring, then run `vaultctl unlock`",
                    "or restore the data root from a backup",
                ],
            ),
            OpenError::WrongKey { .. } => Self::new(
                KeyState::WrongKey,
                error.to_string(),
                ["bring the right key back into the keyring, then run `vaultctl unlock`"],
            ),
            OpenError::Damaged(_) | OpenError::Store(_) => Self::new(
                KeyState::Damaged,
                error.to_string(),
                [
                    "restore `vault.json`, `keys.a`, `keys.b` and `catalogue` from a backup, then \
                  run `vaultctl unlock`",
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
                ["bring the key back into the keyring, then run `vaultctl unlock`"],
            ),
            KeySourceError::Unreachable(_) => Self::unreachable(explanation, initialized),
        }
    }

    /// The three ways out where no keyring answers.
    fn unreachable(explanation: String, initialized: bool) -> Self {
        let keyring = "start a Secret Service keyring (GNOME Keyring, KWallet, KeePassXC) in this \
                       session, then run `vaultctl unlock`";
        let passphrase = if initialized {
            "on a machine without one, open this vault where its key is"
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
