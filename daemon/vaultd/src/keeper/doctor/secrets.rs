//! Secrets whose value is gone, and values that nobody lists.

use vault_crypto::SecretName;
use vault_proto::v1::finding::Severity;
use vault_store::{StoreError, Vault, secrets::Inspection};

use super::Finding;

/// Compares the list of secrets with the places of their values.
pub(super) fn look_at(vault: &Vault, fix: bool, findings: &mut Vec<Finding>) {
    let found = match vault.inspect_secrets() {
        Ok(found) => found,
        Err(StoreError::Keyring(error)) => {
            let text = format!("the values of secrets could not be looked for: {error}");
            let finding = Finding::new(Severity::Note, "secrets-unchecked", text);
            findings.push(finding.remedy("unlock the desktop's keyring, or run `vaultctl unlock`"));
            return;
        }
        // Told with the other stores.
        Err(_) => return,
    };
    let nothing_to_mend = found.unlisted.is_empty() && found.left_behind.is_empty();
    let mended = fix && !nothing_to_mend && mend(vault, &found);
    for name in &found.missing {
        findings.push(value_missing(name));
    }
    for name in &found.unlisted {
        let text = format!("the keyring holds a secret `{name}` that is not in the vault's list");
        let finding = Finding::new(Severity::Warning, "secret-unlisted", text)
            .remedy("run `vaultctl doctor --fix`: it lists the secret")
            .remedy(format!("or run `vaultctl secret rm {name}` to remove it"));
        findings.push(Finding {
            fixed: mended,
            ..finding
        });
    }
    for name in &found.left_behind {
        let text = format!(
            "the keyring still holds a copy of secret `{name}`, which is sealed in the vault"
        );
        let finding = Finding::new(Severity::Warning, "secret-left-behind", text)
            .remedy("run `vaultctl doctor --fix`: it removes the copy");
        findings.push(Finding {
            fixed: mended,
            ..finding
        });
    }
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
    Finding::new(Severity::Warning, "secret-value-missing", text)
        .remedy(format!("run `vaultctl secret set {name}` with the value"))
        .remedy(format!("or run `vaultctl secret rm {name}`"))
}
