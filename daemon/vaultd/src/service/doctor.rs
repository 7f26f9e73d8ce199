//! The doctor's report, as it stands on the wire.

use tonic::Status;
use vault_proto::v1::{DoctorRequest, DoctorResponse, Fact, Finding, Reason};

use super::{
    convert,
    locations::{self, reason_codes},
};
use crate::{
    doctor::{Code, Fix},
    error::refusal,
    keeper::Keeper,
};

/// What is to be mended.
pub(super) fn fix(request: &DoctorRequest) -> Result<Fix, Status> {
    if !request.fix {
        return Ok(Fix::Nothing);
    }
    if request.only.is_empty() {
        return Ok(Fix::All);
    }
    let codes = request.only.iter().map(|name| name.parse::<Code>());
    let codes = codes.collect::<Result<_, _>>();
    codes
        .map(Fix::Only)
        .map_err(|text| refusal(Reason::InvalidArgument, text, &[]))
}

/// Examines, and mends what is to be mended.
pub(super) fn examine(keeper: &Keeper, fix: &Fix) -> DoctorResponse {
    let report = keeper.doctor(fix);
    let status = keeper.status();
    let mut locations = locations::describe(keeper, &status.backend);
    if let Ok(vault) = status.vault {
        locations.set_secrets(convert::secret_place(vault.secret_place()));
    }
    let facts = report.facts.into_iter().map(|fact| Fact {
        name: fact.name.to_owned(),
        value: fact.value,
    });
    let codes = reason_codes(&report.findings);
    let findings = report.findings.into_iter().map(|found| Finding {
        severity: found.severity.into(),
        reason_code: found.code.to_string(),
        explanation: found.explanation,
        remedies: found.remedies,
        fixed: found.fixed,
        fix: found.fix.to_owned(),
    });
    DoctorResponse {
        findings: findings.collect(),
        reason_codes: codes,
        storage_locations: Some(locations),
        facts: facts.collect(),
    }
}
