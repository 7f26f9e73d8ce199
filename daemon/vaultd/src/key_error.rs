//! What a client sees of a failure to do something with the storage key.

use tonic::Status;
use vault_crypto::PassphraseError;
use vault_proto::v1::Reason;
use vault_store::{
    KeySourceError,
    rotation::RotationError,
    vault::{MoveError, RecoveryError},
};

use crate::error::{refusal, store_error};

/// The reason of a keyring's failure.
pub fn key_source_reason(error: &KeySourceError) -> Reason {
    match error {
        KeySourceError::Locked(_) => Reason::KeyringLocked,
        KeySourceError::Unreachable(_) => Reason::KeyringUnavailable,
        KeySourceError::Denied(_) => Reason::KeyringDenied,
        KeySourceError::TimedOut(_) => Reason::KeyringTimeout,
        KeySourceError::WrongPassphrase => Reason::WrongPassphrase,
        KeySourceError::Damaged(_) => Reason::KeyMissing,
        KeySourceError::Unsupported(_) => Reason::KeyringUnsupported,
    }
}

/// What a client sees of a keyring's failure.
pub fn key_source(error: &KeySourceError) -> Status {
    refusal(key_source_reason(error), error.to_string(), &[])
}

/// What a client sees of a rotation that did not begin, or did not go on.
pub fn rotation(error: &RotationError) -> Status {
    let text = error.to_string();
    match error {
        RotationError::Running(record) => {
            let state = format!("{:?}", record.state).to_lowercase();
            let text = format!(
                "{text}; `vaultctl key status` shows it, `vaultctl key rotate` with `--resume` or \
                 `--rollback` ends it"
            );
            refusal(Reason::RotationRunning, text, &[("state", &state)])
        }
        RotationError::Moving => refusal(
            Reason::RotationRunning,
            format!("{text}; `vaultctl doctor` tells how to complete that"),
            &[("state", "moving")],
        ),
        RotationError::None => refusal(Reason::NoRotation, text, &[]),
        RotationError::TooLate => {
            let text = format!("{text}; it will be completed");
            refusal(Reason::NoRotation, text, &[])
        }
        RotationError::MasterNeeded => {
            let text = format!("{text}: that key is needed for the next one");
            refusal(Reason::MasterNeeded, text, &[])
        }
        RotationError::KeySource(error) => {
            let text = format!(
                "{error}; the vault works on, `vaultctl key rotate --resume` goes on with the \
                 rotation"
            );
            refusal(key_source_reason(error), text, &[])
        }
        RotationError::Store(error) => store_error(error),
    }
}

/// What a client sees of a key that was not moved.
pub fn moving(error: &MoveError) -> Status {
    let text = error.to_string();
    match error {
        MoveError::Rotating => {
            let text = format!("{text}; `vaultctl key status` shows it");
            refusal(Reason::RotationRunning, text, &[("state", "rotating")])
        }
        MoveError::Moving(_) => refusal(Reason::RotationRunning, text, &[("state", "moving")]),
        MoveError::Same(_) => refusal(Reason::AlreadyExists, text, &[]),
        MoveError::KeySource(error) => key_source(error),
        MoveError::Store(error) => store_error(error),
    }
}

/// What a client sees of a key that was not brought back.
pub fn recovery(error: &RecoveryError) -> Status {
    let text = error.to_string();
    match error {
        RecoveryError::NoVault => refusal(Reason::NotFound, text, &[]),
        RecoveryError::OtherVault { .. } => refusal(Reason::WrongKey, text, &[]),
        RecoveryError::WrongKey { expected, found } => refusal(
            Reason::WrongKey,
            text,
            &[
                ("expected", &expected.to_string()),
                ("found", &found.to_string()),
            ],
        ),
        RecoveryError::Damaged => refusal(Reason::Corrupt, text, &[("object", "keys.a")]),
        RecoveryError::NoSalt => refusal(Reason::SaltUnusable, text, &[]),
        RecoveryError::KeySource(error) => key_source(error),
        RecoveryError::Store(error) => store_error(error),
    }
}

/// What a client sees of an age file that was not written or not opened.
pub fn sealed_file(error: &PassphraseError) -> Status {
    let text = error.to_string();
    let reason = match error {
        PassphraseError::WrongPassphrase | PassphraseError::NoMatch => Reason::WrongPassphrase,
        PassphraseError::Damaged(_) | PassphraseError::TooMuchWork(_) => Reason::ArchiveDamaged,
        PassphraseError::NotText
        | PassphraseError::RecipientCount(_)
        | PassphraseError::UnknownRecipient(_)
        | PassphraseError::UnknownIdentity { .. }
        | PassphraseError::Plugin(_) => Reason::UnfitSecret,
        PassphraseError::Io(..) => Reason::StorageFailed,
    };
    refusal(reason, text, &[])
}
