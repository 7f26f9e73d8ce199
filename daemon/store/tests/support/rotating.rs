//! Rotations from beginning to end.

use std::ops::ControlFlow;

use vault_store::{
    KeySource, Vault,
    rotation::{Depth, RotationError, RotationOutcome},
    vault::NextKey,
};

/// Begins a rotation to a random key, or goes on with the one that there is, and brings it to its
/// end.
pub(crate) fn rotate(
    vault: &Vault,
    keyring: &dyn KeySource,
    depth: Depth,
) -> Result<RotationOutcome, RotationError> {
    if vault.rotation().is_none() {
        vault.begin_rotation(keyring, depth, NextKey::Random { drop_salt: false })?;
    }
    advance(vault, keyring)
}

pub(crate) fn advance(
    vault: &Vault,
    keyring: &dyn KeySource,
) -> Result<RotationOutcome, RotationError> {
    vault.unpause_rotation();
    vault.advance_rotation(keyring, &mut |_| ControlFlow::Continue(()))
}

/// A rotation that seals every object anew, with nothing in its way.
pub(crate) fn reencrypt(vault: &Vault, keyring: &dyn KeySource) {
    let outcome = rotate(vault, keyring, Depth::Reencrypt).expect("rotated");
    assert_eq!(outcome, RotationOutcome::Done { kept: Vec::new() });
}
