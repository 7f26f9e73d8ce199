//! Key table, header, catalogue and keyring entry, compared with what the vault works with.

use vault_keyring::Interaction;
use vault_proto::v1::{KeyState, finding::Severity};
use vault_store::{
    KeySourceError, Vault,
    vault::{Inspected, Unsound},
};

use crate::{
    doctor::{Code, Fact, Finding, Fix, Report},
    keeper::Keeper,
    key_source::KeyringSource,
};

impl Keeper {
    /// Returns why the keyring does not answer, where it does not.
    pub(super) fn look_at_own_files(
        &self,
        vault: &Vault,
        fix: &Fix,
        Report { findings, facts }: &mut Report,
    ) -> Option<KeySourceError> {
        let keyring = match self.keyring(&mut self.lock_attempt()) {
            Ok(keyring) => keyring,
            // The vault is open, and which keyring it has is not to be read any more.
            Err(closed) if closed.state == KeyState::Damaged => {
                findings.push(storage_failed(&closed.explanation));
                return None;
            }
            Err(closed) => {
                let text = closed.explanation;
                facts.push(Fact::new(
                    "keyring",
                    format!("{}, unusable", vault.backend()),
                ));
                let code = Code::KeyringUnavailable;
                findings.push(Finding {
                    remedies: closed.remedies,
                    ..Finding::new(Severity::Warning, code, text.clone())
                });
                return Some(KeySourceError::Unreachable(text));
            }
        };
        let source = KeyringSource::new(&keyring, Interaction::Forbidden);
        let Inspected { unsound, silent } = match vault.inspect(&source) {
            Ok(inspected) => inspected,
            Err(error) => {
                findings.push(storage_failed(&error));
                return None;
            }
        };
        let answers = if silent.is_none() {
            "answers"
        } else {
            "does not answer"
        };
        facts.push(Fact::new(
            "keyring",
            format!("{}, {answers}", keyring.kind()),
        ));
        findings.extend(silent.as_ref().and_then(about_silence));
        let wanted = unsound.iter().any(|found| fix.wants(code_of(found)));
        let mended = wanted && matches!(vault.mend(&source), Ok(Ok(())));
        for found in &unsound {
            let finding = Finding::new(Severity::Warning, code_of(found), describe(found));
            let finding = finding.mended(mended);
            findings.push(finding.remedy("do so before anything is locked or restarted"));
        }
        silent
    }
}

/// What it means for an open vault that its keyring says nothing. One that is locked is as it should
/// be while nobody uses it.
fn about_silence(error: &KeySourceError) -> Option<Finding> {
    let code = match error {
        KeySourceError::Locked(_) => return None,
        KeySourceError::TimedOut(_) => Code::KeyringTimeout,
        KeySourceError::Denied(_) => Code::KeyringDenied,
        _ => Code::KeyringUnavailable,
    };
    let text = format!(
        "the vault is open, but its keyring does not answer ({error}): once locked, it could not be \
         opened again"
    );
    let finding = Finding::new(Severity::Warning, code, text);
    Some(
        finding
            .remedy("bring the keyring back before anything is locked or restarted")
            .remedy("and run `vaultctl key export FILE` meanwhile"),
    )
}

const fn code_of(found: &Unsound) -> Code {
    match found {
        Unsound::KeyTable(_) => Code::KeyTableCopyDamaged,
        Unsound::Header => Code::HeaderDamaged,
        Unsound::Catalogue => Code::CatalogueDamaged,
        Unsound::Keyring => Code::KeyNotInKeyring,
        Unsound::Salt(_) => Code::SaltCopyMissing,
    }
}

fn describe(found: &Unsound) -> String {
    match found {
        Unsound::KeyTable(file) => {
            format!("`{file}`, one of the two copies of the key table, is damaged or gone")
        }
        Unsound::Header => "`vault.json` is damaged or gone".to_owned(),
        Unsound::Catalogue => "`catalogue`, the list of stores, is damaged or gone".to_owned(),
        Unsound::Keyring => "the keyring does not hold the storage key any more: once locked, the \
                             vault could not be opened again"
            .to_owned(),
        Unsound::Salt(missing) => {
            format!(
                "{missing}: the key could be derived anew only as long as the other copy is there"
            )
        }
    }
}

fn storage_failed(error: &dyn std::fmt::Display) -> Finding {
    let text = format!("the vault's own files cannot be read: {error}");
    let finding = Finding::new(Severity::Error, Code::StorageFailed, text);
    finding.remedy("see to the disk; the log of vaultd has the detail")
}
