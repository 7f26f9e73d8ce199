//! The salt of the key, and the stores.

use vault_proto::v1::finding::Severity;
use vault_store::{Vault, vault::SaltState};

use crate::doctor::{Code, Fact, Finding, Report};

/// The salt of a derived key, as it was last compared.
pub(super) fn look_at_salt(vault: &Vault, Report { findings, facts }: &mut Report) {
    let salt = vault.salt();
    facts.push(Fact::new("salt", describe(&salt)));
    match salt {
        // Told with what else `--fix` writes anew.
        SaltState::NotDerived | SaltState::Fine | SaltState::OneCopy(_) => {}
        SaltState::Unchecked(why) => {
            let text = format!("the salt of the derived key could not be checked: {why}");
            let finding = Finding::new(Severity::Note, Code::SaltUnchecked, text);
            findings
                .push(finding.remedy(
                    "run this again once the keyring answers and no rotation is under way",
                ));
        }
        SaltState::Problem(problem) => {
            let finding = Finding::new(Severity::Warning, Code::SaltMismatch, problem);
            findings.push(
                finding
                    .remedy("run `vaultctl key derive` with the master key: it makes a new salt")
                    .remedy("or run `vaultctl key rotate --random` to give the derivation up"),
            );
        }
    }
}

const fn describe(salt: &SaltState) -> &'static str {
    match salt {
        SaltState::NotDerived => "the key is not derived",
        SaltState::Fine => "fine",
        SaltState::OneCopy(_) => "one copy is missing",
        SaltState::Unchecked(_) => "not checked",
        SaltState::Problem(_) => "unusable",
    }
}

/// Objects and stores that cannot be read. Stores that nobody uses stay unopened.
pub(super) fn look_at_stores(vault: &Vault, findings: &mut Vec<Finding>) {
    for record in vault.all_stores() {
        match vault.examine_store(&record.name) {
            Ok(stats) if stats.damaged > 0 => {
                let text = format!(
                    "{} objects of store `{}` are damaged",
                    stats.damaged, record.name
                );
                let finding = Finding::new(Severity::Error, Code::ObjectsDamaged, text);
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
                let finding = Finding::new(Severity::Note, Code::AwaitingMigration, text);
                findings
                    .push(finding.remedy(format!("run `vaultctl store migrate {}`", record.name)));
            }
            Ok(_) => {}
            Err(error) => {
                let text = format!("store `{}` cannot be opened: {error}", record.name);
                let finding = Finding::new(Severity::Error, Code::StoreDamaged, text);
                findings.push(finding.remedy(
                    "put its files back from a backup, or run `vaultctl restore FILE --merge`",
                ));
            }
        }
    }
}
