//! A storage key that is on its way: rotated, moved, exported.

use std::sync::Arc;

use vault_proto::v1::finding::Severity;
use vault_store::{Vault, header::Header, rotation::RotationState};

use crate::{
    doctor::{Code, Fact, Finding, Fix, Report},
    keeper::{Keeper, rotation::opens},
};

impl Keeper {
    /// A rotation that is under way, or should be.
    pub(super) fn look_at_rotation(
        &self,
        vault: &Arc<Vault>,
        fix: &Fix,
        Report { findings, facts }: &mut Report,
    ) {
        let Some(status) = self.rotation_status(vault) else {
            facts.push(Fact::new("rotation", "none"));
            return;
        };
        let state = format!("{:?}", status.record.state).to_lowercase();
        facts.push(Fact::new("rotation", state.clone()));
        if status.running {
            let text = format!("a rotation of the storage key is under way ({state})");
            findings.push(Finding::new(Severity::Note, Code::Rotating, text));
            return;
        }
        let awaits = status.record.handed_out && status.record.state == RotationState::Staged;
        if awaits {
            let text = "a rotation waits for its credential";
            let finding = Finding::new(Severity::Note, Code::RotationAwaitsCredential, text);
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
        let mut finding = Finding::new(Severity::Warning, Code::RotationHalfDone, text)
            .remedy("run `vaultctl key rotate --resume`");
        if status.record.state < RotationState::Promoted && !status.record.back {
            finding = finding.remedy("or run `vaultctl key rotate --rollback`");
        }
        if !status.record.paused {
            let wanted = fix.wants(Code::RotationHalfDone);
            finding = finding.mended(wanted && self.resume_rotation().is_ok());
        }
        findings.push(finding);
    }
}

/// What the public header tells of moves and exports.
pub(super) fn look_at_header(header: &Header, vault: &Vault, findings: &mut Vec<Finding>) {
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
        let finding = Finding::new(Severity::Warning, Code::MoveHalfDone, text);
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
        let finding = Finding::new(Severity::Note, Code::ExportOutdated, text);
        findings.push(finding.remedy("run `vaultctl key export FILE`"));
    }
}
