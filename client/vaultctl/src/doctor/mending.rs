//! Remedies, one by one.

use std::collections::HashSet;

use vault_client::{Client, DoctorReport, Finding, Mend};

use super::{Doctor, moving_in};
use crate::{context::Context, failure::Failure, output, prompt};

/// The finding whose remedy is a call of its own.
const LEGACY: &str = "legacy_root_found";

impl Doctor {
    /// Offers the remedy of each finding that has one, and examines anew after each: one may cure
    /// several, or show another. What was mended is in the report that is returned, as it was found.
    pub(super) async fn mend(
        &self,
        context: &Context,
        client: &Client,
        mut report: DoctorReport,
    ) -> Result<DoctorReport, Failure> {
        let mut offered: HashSet<String> = HashSet::new();
        let mut mended = Vec::new();
        while let Some(code) = next(&report, &offered) {
            offered.insert(code.clone());
            if !self.yes && !ask(&report, &code)? {
                continue;
            }
            if code == LEGACY {
                let done = moving_in::run(context, client, self.conflicts).await?;
                let found = report.findings.iter();
                let found = found.filter(|finding| finding.reason_code == code);
                mended.extend(found.cloned().map(|finding| Finding {
                    fixed: true,
                    explanation: done.clone(),
                    ..finding
                }));
            } else {
                let told = client.doctor(Mend::Only(&[&code])).await?;
                mended.extend(told.findings.into_iter().filter(|finding| finding.fixed));
            }
            report = client.doctor(Mend::Nothing).await?;
        }
        for finding in mended.iter().rev() {
            if !report.reason_codes.contains(&finding.reason_code) {
                report.reason_codes.insert(0, finding.reason_code.clone());
            }
        }
        mended.append(&mut report.findings);
        report.findings = mended;
        Ok(report)
    }
}

/// The next code with a remedy that was not offered yet.
fn next(report: &DoctorReport, offered: &HashSet<String>) -> Option<String> {
    let mut open = report.findings.iter().filter(|finding| {
        !finding.fix.is_empty() && !finding.fixed && !offered.contains(&finding.reason_code)
    });
    open.next().map(|finding| finding.reason_code.clone())
}

/// Shows what was found under a code, and asks.
fn ask(report: &DoctorReport, code: &str) -> Result<bool, Failure> {
    let mut does = "";
    for finding in report
        .findings
        .iter()
        .filter(|found| found.reason_code == code)
    {
        eprintln!("{}.", output::printable(&finding.explanation));
        does = &finding.fix;
    }
    Ok(prompt::yes(&format!(
        "--fix {}. Do that?",
        output::printable(does)
    ))?)
}
