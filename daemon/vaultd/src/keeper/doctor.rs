//! What is wrong with a vault, and the commands that lead out.

mod access;
mod secrets;

use std::sync::Arc;

use vault_keyring::Interaction;
use vault_proto::v1::{KeyState, finding::Severity};
use vault_store::{
    Vault,
    header::Header,
    rotation::RotationState,
    vault::{Evidence, SaltState, Unsound},
};

use super::{Keeper, State, rotation::opens};
use crate::{key_source::KeyringSource, key_state::Closed};

/// One thing found.
#[derive(Clone, Debug)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// A stable name.
    pub name: &'static str,
    /// For people.
    pub explanation: String,
    /// Commands that lead out.
    pub remedies: Vec<String>,
    /// Mended just now.
    pub fixed: bool,
}

impl Finding {
    fn new(severity: Severity, name: &'static str, explanation: impl Into<String>) -> Self {
        Self {
            severity,
            name,
            explanation: explanation.into(),
            remedies: Vec::new(),
            fixed: false,
        }
    }

    fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedies.push(remedy.into());
        self
    }
}

/// The stable name of a state in which the vault is not open.
const fn name_of(state: KeyState) -> &'static str {
    match state {
        KeyState::Starting => "starting",
        KeyState::Uninitialized => "uninitialized",
        KeyState::Locked => "locked",
        KeyState::KeyringLocked => "keyring-locked",
        KeyState::KeyringDenied => "keyring-denied",
        KeyState::KeyringTimeout => "keyring-timeout",
        KeyState::KeyMissing => "key-missing",
        KeyState::WrongKey => "wrong-key",
        KeyState::Damaged => "damaged",
        KeyState::KeyringUnavailable | KeyState::Open | KeyState::Unspecified => {
            "keyring-unavailable"
        }
    }
}

impl Keeper {
    /// Looks at the vault and explains its state. With `fix`, does what can be done without losing
    /// anything; what only a person can decide is left to one.
    pub fn doctor(&self, fix: bool) -> Vec<Finding> {
        if fix {
            // Looks for the key again, and completes what an opening completes.
            let _ = self.vault();
        }
        let state = match &*self.read() {
            State::Open(vault) => Ok(Arc::clone(vault)),
            State::Closed(closed) => Err(closed.clone()),
        };
        let mut findings = Vec::new();
        match state {
            Ok(vault) => {
                self.look_at_own_files(&vault, fix, &mut findings);
                self.look_at_rotation(&vault, fix, &mut findings);
                look_at_header(&vault.header(), &vault, &mut findings);
                look_at_salt(&vault, &mut findings);
                look_at_stores(&vault, &mut findings);
                secrets::look_at(&vault, fix, &mut findings);
                access::look_at(self, &vault, &mut findings);
                if findings.is_empty() {
                    let text = "the vault is open and nothing is wrong with it";
                    findings.push(Finding::new(Severity::Ok, "healthy", text));
                }
            }
            Err(closed) => self.explain(closed, &mut findings),
        }
        findings
    }

    fn explain(&self, closed: Closed, findings: &mut Vec<Finding>) {
        let severity = match closed.state {
            KeyState::Uninitialized | KeyState::Locked | KeyState::Starting => Severity::Note,
            _ => Severity::Error,
        };
        let mut finding = Finding::new(severity, name_of(closed.state), closed.explanation);
        finding.remedies = closed.remedies;
        let evidence = Evidence::gather(&self.root);
        if evidence
            .as_ref()
            .is_ok_and(|found| found.vault().is_none() && !found.is_none())
        {
            // Nothing that opens a vault helps where nobody knows which vault it is.
            finding.remedies =
                vec!["put `vault.json`, `keys.a` or `keys.b` back from a backup".to_owned()];
        }
        findings.push(finding);
        let Ok(evidence) = evidence else {
            return;
        };
        if evidence.is_none() {
            return;
        }
        if let Some(problem) = evidence.header_problem() {
            let text = format!("`vault.json`: {problem}");
            let finding = Finding::new(Severity::Warning, "header-damaged", text);
            findings.push(
                finding.remedy(
                    "nothing: it is rebuilt from the key table as soon as the key is at hand",
                ),
            );
        }
        let unreadable = evidence.unreadable_key_tables();
        if let [one] = unreadable.as_slice() {
            let text = format!("`{one}`, one of the two copies of the key table, cannot be read");
            let finding = Finding::new(Severity::Warning, "key-table-copy-damaged", text);
            findings.push(finding.remedy(
                "nothing: it is written anew from the other as soon as the key is at hand",
            ));
        }
        if let Some(tombstone) = evidence.tombstone() {
            let text = format!(
                "the storage key was destroyed on purpose at {}",
                jiff::Timestamp::from_millisecond(tombstone.at).unwrap_or_default()
            );
            findings.push(Finding::new(Severity::Note, "reset", text));
        }
    }

    /// Key table, header, catalogue and keyring entry, compared with what the vault works with.
    fn look_at_own_files(&self, vault: &Vault, fix: bool, findings: &mut Vec<Finding>) {
        let keyring = match self.keyring(&mut self.lock_attempt()) {
            Ok(keyring) => keyring,
            Err(closed) => {
                let text = closed.explanation;
                findings.push(Finding::new(Severity::Warning, "keyring-unavailable", text));
                return;
            }
        };
        let source = KeyringSource::new(&keyring, Interaction::Forbidden);
        let unsound = match vault.inspect(&source) {
            Ok(unsound) => unsound,
            Err(error) => {
                let text = format!("the vault's own files cannot be read: {error}");
                findings.push(Finding::new(Severity::Error, "storage-failed", text));
                return;
            }
        };
        if unsound.is_empty() {
            return;
        }
        let mended = fix && matches!(vault.mend(&source), Ok(Ok(())));
        for found in unsound {
            let (name, text) = match found {
                Unsound::KeyTable(file) => (
                    "key-table-copy-damaged",
                    format!("`{file}`, one of the two copies of the key table, is damaged or gone"),
                ),
                Unsound::Header => (
                    "header-damaged",
                    "`vault.json` is damaged or gone".to_owned(),
                ),
                Unsound::Catalogue => (
                    "catalogue-damaged",
                    "`catalogue`, the list of stores, is damaged or gone".to_owned(),
                ),
                Unsound::Keyring => (
                    "key-not-in-keyring",
                    "the keyring does not hold the storage key any more: once locked, the vault \
                     could not be opened again"
                        .to_owned(),
                ),
            };
            let finding = Finding::new(Severity::Warning, name, text)
                .remedy("run `vaultctl doctor --fix` before anything is locked or restarted");
            findings.push(Finding {
                fixed: mended,
                ..finding
            });
        }
    }

    fn look_at_rotation(&self, vault: &Arc<Vault>, fix: bool, findings: &mut Vec<Finding>) {
        let Some(status) = self.rotation_status(vault) else {
            return;
        };
        let state = format!("{:?}", status.record.state).to_lowercase();
        if status.running {
            let text = format!("a rotation of the storage key is under way ({state})");
            findings.push(Finding::new(Severity::Note, "rotating", text));
            return;
        }
        let awaits = status.record.handed_out && status.record.state == RotationState::Staged;
        if awaits {
            let text = "a rotation waits for its credential";
            let finding = Finding::new(Severity::Note, "rotation-awaits-credential", text);
            findings.push(
                finding
                    .remedy("start the unit with the new credential")
                    .remedy("or run `vaultctl key rotate --rollback`"),
            );
            return;
        }
        let why = match (&status.error, status.record.paused) {
            (Some(error), _) => format!("it stopped: {error}"),
            (None, true) => "it was paused".to_owned(),
            (None, false) => "it was interrupted".to_owned(),
        };
        let text = format!("a rotation of the storage key is half done ({state}): {why}");
        let mut finding = Finding::new(Severity::Warning, "rotation-half-done", text)
            .remedy("run `vaultctl key rotate --resume`");
        if status.record.state < RotationState::Promoted && !status.record.back {
            finding = finding.remedy("or run `vaultctl key rotate --rollback`");
        }
        finding.fixed = fix && !status.record.paused && self.resume_rotation().is_ok();
        findings.push(finding);
    }
}

fn look_at_header(header: &Header, vault: &Vault, findings: &mut Vec<Finding>) {
    if let Some(moving) = &header.moving {
        let arrived = header.backend == moving.to;
        let text = if arrived {
            format!(
                "the storage key moved to `{}`; its copy in `{}` could not be removed yet",
                moving.to, moving.from
            )
        } else {
            format!(
                "the storage key is on its way to `{}`, and still in `{}`",
                moving.to, moving.from
            )
        };
        let finding = Finding::new(Severity::Warning, "move-half-done", text);
        findings.push(if arrived {
            finding.remedy(format!(
                "make `{}` reachable, then restart vaultd: it removes the copy",
                moving.from
            ))
        } else {
            finding
                .remedy(format!(
                    "let the move complete: make `{}` reachable (start vaultd with the credential), \
                     then restart vaultd",
                    moving.to
                ))
                .remedy(format!(
                    "or take it back by `vaultctl key move --to {}`",
                    moving.from
                ))
        });
    }
    if let Some(export) = &header.last_export
        && !opens(export.fingerprint, vault)
    {
        let text = "the last export of the key does not open the vault any more";
        let finding = Finding::new(Severity::Note, "export-outdated", text);
        findings.push(finding.remedy("run `vaultctl key export FILE`"));
    }
}

fn look_at_salt(vault: &Vault, findings: &mut Vec<Finding>) {
    match vault.salt() {
        SaltState::NotDerived | SaltState::Fine => {}
        SaltState::Unchecked(why) => {
            let text = format!("the salt of the derived key could not be checked: {why}");
            findings.push(Finding::new(Severity::Note, "salt-unchecked", text));
        }
        SaltState::Problem(problem) => {
            let finding = Finding::new(Severity::Warning, "salt-mismatch", problem);
            findings.push(
                finding
                    .remedy("run `vaultctl key derive` with the master key: it makes a new salt")
                    .remedy("or run `vaultctl key rotate --random` to give the derivation up"),
            );
        }
    }
}

fn look_at_stores(vault: &Vault, findings: &mut Vec<Finding>) {
    for record in vault.all_stores() {
        let stats = vault
            .open_store(&record.name)
            .and_then(|store| store.stats());
        match stats {
            Ok(stats) if stats.damaged > 0 => {
                let text = format!(
                    "{} objects of store `{}` are damaged",
                    stats.damaged, record.name
                );
                let finding = Finding::new(Severity::Error, "objects-damaged", text);
                findings.push(
                    finding
                        .remedy(format!(
                            "run `vaultctl doc ls {}`: it names them",
                            record.name
                        ))
                        .remedy(format!(
                            "put their files back from a backup, or move each aside by `vaultctl \
                             doc rm {} ID`",
                            record.name
                        )),
                );
            }
            Ok(stats) if stats.awaiting_migration > 0 => {
                let text = format!(
                    "{} files of store `{}` are still plaintext",
                    stats.awaiting_migration, record.name
                );
                let finding = Finding::new(Severity::Note, "awaiting-migration", text);
                findings
                    .push(finding.remedy(format!("run `vaultctl store migrate {}`", record.name)));
            }
            Ok(_) => {}
            Err(error) => {
                let text = format!("store `{}` cannot be opened: {error}", record.name);
                let finding = Finding::new(Severity::Error, "store-damaged", text);
                findings.push(finding.remedy(
                    "put its files back from a backup, or run `vaultctl restore FILE --merge`",
                ));
            }
        }
    }
}
