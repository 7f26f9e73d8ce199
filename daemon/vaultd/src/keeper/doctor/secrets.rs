//! Secrets whose value is gone, and values that nobody lists.

use vault_crypto::SecretName;
use vault_proto::v1::finding::Severity;
use vault_store::{
    KeySourceError, StoreError, Vault,
    secrets::{Inspection, SecretPlace},
};

use crate::doctor::{Code, Finding, Fix};

/// Compares the list of secrets with the places of their values.
///
/// A keyring that was `silent` just now is not asked once more: that may take its time again.
pub(super) fn look_at(
    vault: &Vault,
    silent: Option<&KeySourceError>,
    fix: &Fix,
    findings: &mut Vec<Finding>,
) {
    let silent = silent.filter(|_| vault.secret_place() == SecretPlace::Keyring);
    let inspected = match silent {
        Some(error) => Err(StoreError::Keyring(error.clone())),
        None => vault.inspect_secrets(),
    };
    let found = match inspected {
        Ok(found) => found,
        Err(StoreError::Keyring(error)) => {
            let text = format!("the values of secrets could not be looked for: {error}");
            let finding = Finding::new(Severity::Note, Code::SecretsUnchecked, text);
            findings.push(finding.remedy("unlock the desktop's keyring, or run `vaultctl unlock`"));
            return;
        }
        // Told with the other stores.
        Err(_) => return,
    };
    let nothing_to_mend = found.unlisted.is_empty() && found.left_behind.is_empty();
    let wanted = fix.wants(Code::SecretUnlisted) || fix.wants(Code::SecretLeftBehind);
    let mended = wanted && !nothing_to_mend && mend(vault, &wanted_of(&found, fix));
    for name in &found.missing {
        findings.push(value_missing(name));
    }
    for name in &found.unlisted {
        let text = format!("the keyring holds a secret `{name}` that is not in the vault's list");
        let finding = Finding::new(Severity::Warning, Code::SecretUnlisted, text)
            .mended(mended && fix.wants(Code::SecretUnlisted));
        findings.push(finding.remedy(format!("or run `vaultctl secret rm {name}` to remove it")));
    }
    for name in &found.left_behind {
        let text = format!(
            "the keyring still holds a copy of secret `{name}`, which is sealed in the vault"
        );
        let finding = Finding::new(Severity::Warning, Code::SecretLeftBehind, text);
        findings.push(finding.mended(mended && fix.wants(Code::SecretLeftBehind)));
    }
}

/// What of it is to be mended.
fn wanted_of(found: &Inspection, fix: &Fix) -> Inspection {
    let mut wanted = found.clone();
    if !fix.wants(Code::SecretUnlisted) {
        wanted.unlisted.clear();
    }
    if !fix.wants(Code::SecretLeftBehind) {
        wanted.left_behind.clear();
    }
    wanted
}

fn mend(vault: &Vault, found: &Inspection) -> bool {
    let mended = vault.mend_secrets(found);
    if let Err(error) = &mended {
        tracing::warn!(%error, "what was found of secrets could not be mended");
    }
    mended.is_ok()
}

fn value_missing(name: &SecretName) -> Finding {
    let text = format!("secret `{name}` is listed, and its value is gone");
    Finding::new(Severity::Warning, Code::SecretValueMissing, text)
        .remedy(format!("run `vaultctl secret set {name}` with the value"))
        .remedy(format!("or run `vaultctl secret rm {name}`"))
}
