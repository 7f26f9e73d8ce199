//! The report, for people and for programs.

use std::path::Path;

use vault_client::{DoctorReport, Finding, LocationClass, StorageLocations};

use crate::{context::Context, failure::Failure, output};

pub(super) fn report(context: &Context, report: &DoctorReport) -> Result<(), Failure> {
    if context.json() {
        return json(report);
    }
    locations(&report.locations)?;
    for (name, value) in &report.facts {
        fact(&name.replace('_', " "), value)?;
    }
    output::line("")?;
    report.findings.iter().try_for_each(finding)
}

fn locations(locations: &StorageLocations) -> Result<(), Failure> {
    let place =
        |path: &Path, class: LocationClass| format!("{} ({})", path.display(), class.as_str());
    let root = place(&locations.active_root, locations.active_root_class);
    fact("data root", &root)?;
    fact(
        "models root",
        &place(&locations.models_root, locations.models_root_class),
    )?;
    if let Some(legacy) = &locations.legacy_root {
        let state = match (locations.legacy_root_exists, locations.merge_marker) {
            (false, _) => "not there",
            (true, false) => "not moved in",
            (true, true) => "moved in",
        };
        fact("legacy root", &format!("{} ({state})", legacy.display()))?;
    }
    fact("socket", &locations.socket.display().to_string())
}

fn fact(name: &str, value: &str) -> Result<(), Failure> {
    output::line(&format!("{name:<20}{}", output::printable(value)))
}

fn json(report: &DoctorReport) -> Result<(), Failure> {
    let findings = report.findings.iter().map(|finding| {
        serde_json::json!({
            "severity": finding.severity.as_str(),
            "reason_code": finding.reason_code,
            "explanation": finding.explanation,
            "remedies": finding.remedies,
            "fix": finding.fix,
            "fixed": finding.fixed,
        })
    });
    let facts = report.facts.iter().cloned();
    let facts: serde_json::Map<_, _> = facts.map(|(name, value)| (name, value.into())).collect();
    output::json(&serde_json::json!({
        "reason_codes": report.reason_codes,
        "findings": findings.collect::<Vec<_>>(),
        "storage_locations": report.locations,
        "facts": facts,
    }))
}

fn finding(finding: &Finding) -> Result<(), Failure> {
    let mended = if finding.fixed { " (mended)" } else { "" };
    output::line(&format!(
        "{:<9}{}{mended} [{}]",
        finding.severity.as_str(),
        output::printable(&finding.explanation),
        output::printable(&finding.reason_code)
    ))?;
    if finding.fixed {
        return Ok(());
    }
    for remedy in &finding.remedies {
        output::line(&format!("  - {}", output::printable(remedy)))?;
    }
    Ok(())
}
