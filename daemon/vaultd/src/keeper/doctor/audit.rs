//! An audit log that is not written, or not the one it should be.

use vault_proto::v1::finding::Severity;

use crate::{
    audit::Auditor,
    doctor::{Code, Finding},
};

pub(super) fn look_at(audit: &Auditor, findings: &mut Vec<Finding>) {
    let status = audit.status();
    if let Some(failing) = &status.failing {
        let text = format!(
            "no audit records can be kept ({} are lost so far): {}",
            status.lost, failing.why
        );
        let finding = Finding::new(Severity::Error, Code::AuditFailing, text);
        findings.push(finding.remedy("make room on the disk; what is lost is recorded then"));
    }
    let Some(log) = audit.log().map(|log| log.status()) else {
        return;
    };
    if let Some(mismatch) = log.mismatch {
        let text = format!("the audit log is an older copy, or was cut: {mismatch}");
        let finding = Finding::new(Severity::Error, Code::AuditMismatch, text);
        let finding = finding.remedy("`vaultctl audit verify` tells what is missing");
        findings.push(finding.remedy(
            "where the data root was brought from elsewhere on purpose, `vaultctl audit accept`",
        ));
    }
    if let Some(why) = log.anchor_failure {
        let text = format!(
            "the keyring does not know the newest audit records, which could be cut off unnoticed: {why}"
        );
        let finding = Finding::new(Severity::Warning, Code::AuditUnanchored, text);
        findings.push(finding.remedy("unlock the desktop's keyring"));
    }
}
