//! What is wrong with a vault, and the commands that lead out.

mod access;
mod audit;
mod own_files;
mod places;
mod rotation;
mod secrets;
mod stores;

use std::sync::Arc;

use vault_proto::v1::{KeyState, finding::Severity};
use vault_store::{Vault, vault::Evidence};

use super::{Keeper, State};
use crate::{
    doctor::{Code, Fact, Finding, Fix, Report},
    key_state::Closed,
};

/// What the doctor calls a state in which the vault is not open.
const fn code_of(state: KeyState) -> Code {
    match state {
        KeyState::Starting => Code::Starting,
        KeyState::Uninitialized => Code::Uninitialized,
        KeyState::Locked => Code::Locked,
        KeyState::KeyringLocked => Code::KeyringLocked,
        KeyState::KeyringDenied => Code::KeyringDenied,
        KeyState::KeyringTimeout => Code::KeyringTimeout,
        KeyState::KeyMissing => Code::KeyMissing,
        KeyState::WrongKey => Code::WrongKey,
        KeyState::Damaged => Code::Damaged,
        KeyState::KeyringUnavailable | KeyState::Open | KeyState::Unspecified => {
            Code::KeyringUnavailable
        }
    }
}

impl Keeper {
    /// Looks at the vault, its places and this process, and explains their state. Without `fix`,
    /// nothing is created, moved or removed; with it, what can be done without losing anything is done,
    /// and what only a person can decide is left to one.
    pub fn doctor(&self, fix: &Fix) -> Report {
        if fix.wants_any() {
            // Looks for the key again, and completes what an opening completes.
            let _ = self.existing_vault();
        }
        let state = match &*self.read() {
            State::Open(vault) => Ok(Arc::clone(vault)),
            State::Closed(closed) => Err(closed.clone()),
        };
        let mut report = Report::default();
        match state {
            Ok(vault) => self.examine(&vault, fix, &mut report),
            Err(closed) => {
                let text = format!("not asked: {}", code_of(closed.state));
                report.facts.push(Fact::new("keyring", text));
                self.explain(closed, &mut report.findings);
            }
        }
        self.look_around(fix, &mut report);
        report
    }

    fn examine(&self, vault: &Arc<Vault>, fix: &Fix, report: &mut Report) {
        let fingerprint = vault.fingerprint().to_string();
        report.facts.push(Fact::new("key_fingerprint", fingerprint));
        let silent = self.look_at_own_files(vault, fix, report);
        self.look_at_rotation(vault, fix, report);
        rotation::look_at_header(&vault.header(), vault, &mut report.findings);
        stores::look_at_salt(vault, report);
        stores::look_at_stores(vault, &mut report.findings);
        secrets::look_at(vault, silent.as_ref(), fix, &mut report.findings);
        access::look_at(self, vault, &mut report.findings);
        audit::look_at(&self.audit, &mut report.findings);
        if report.findings.is_empty() {
            let text = "the vault is open and nothing is wrong with it";
            let healthy = Finding::new(Severity::Ok, Code::Healthy, text);
            report.findings.push(healthy);
        }
    }

    fn explain(&self, closed: Closed, findings: &mut Vec<Finding>) {
        let severity = match closed.state {
            KeyState::Uninitialized | KeyState::Locked | KeyState::Starting => Severity::Note,
            _ => Severity::Error,
        };
        let mut finding = Finding::new(severity, code_of(closed.state), closed.explanation);
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
            let finding = Finding::new(Severity::Warning, Code::HeaderDamaged, text);
            findings.push(
                finding.remedy(
                    "nothing: it is rebuilt from the key table as soon as the key is at hand",
                ),
            );
        }
        let unreadable = evidence.unreadable_key_tables();
        if let [one] = unreadable.as_slice() {
            let text = format!("`{one}`, one of the two copies of the key table, cannot be read");
            let finding = Finding::new(Severity::Warning, Code::KeyTableCopyDamaged, text);
            findings.push(finding.remedy(
                "nothing: it is written anew from the other as soon as the key is at hand",
            ));
        }
        if let Some(tombstone) = evidence.tombstone() {
            let text = format!(
                "the storage key was destroyed on purpose at {}",
                jiff::Timestamp::from_millisecond(tombstone.at).unwrap_or_default()
            );
            findings.push(Finding::new(Severity::Note, Code::Reset, text));
        }
    }
}
