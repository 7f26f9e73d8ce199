//! What can go wrong with a keyring.

use std::time::Duration;

/// Why a keyring call failed. The texts are for people and never hold a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyringError {
    /// The keyring was reached and said that it holds no such entry. The only error on which a
    /// new storage key may be considered.
    #[error("the keyring holds no such entry")]
    NoEntry,
    /// The keyring is there, but locked. Whether it holds the entry may be unknown.
    #[error("the keyring is locked: {0}")]
    Locked(String),
    /// Nothing answered: no bus, no keyring service, or the connection broke.
    #[error("the keyring cannot be reached: {0}")]
    Unreachable(String),
    /// Refused by a person, a dialog or the operating system.
    #[error("access to the keyring was denied: {0}")]
    Denied(String),
    /// No answer within this deadline. A call that had begun may still take effect.
    #[error("the keyring did not answer within {0:?}")]
    TimedOut(Duration),
    /// The passphrase does not open the key file.
    #[error("the passphrase does not open the key file")]
    WrongPassphrase,
    /// The backend cannot do this at all.
    #[error("this keyring backend cannot do that: {0}")]
    Unsupported(String),
    /// The entry is there, but it is not what was written.
    #[error("the keyring entry is damaged: {0}")]
    Damaged(String),
    /// Anything else.
    #[error("the keyring failed: {0}")]
    Failed(String),
}
