//! What is wrong with a vault, and the way out.

use vault_proto::v1::{self, DoctorRequest};

use crate::{Client, Error, StorageLocations};

/// How much a finding matters, the least first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Severity {
    /// All is well.
    Ok,
    /// Worth knowing.
    Note,
    /// Works, but something is half done or one copy short.
    Warning,
    /// Does not work.
    Error,
    /// A severity of a later version: last, since it may be the worst.
    Unknown,
}

impl Severity {
    /// The word for it in output.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
            Self::Unknown => "unknown",
        }
    }
}

/// One thing found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How much it matters.
    pub severity: Severity,
    /// Stable, such as `key_missing`.
    pub reason_code: String,
    /// For people.
    pub explanation: String,
    /// For people: each a command that leads out, or a sentence where there is none.
    pub remedies: Vec<String>,
    /// Mended by this call.
    pub fixed: bool,
    /// What mending it does; empty where the daemon cannot.
    pub fix: String,
}

/// All that the doctor has to say.
#[derive(Clone, Debug)]
pub struct DoctorReport {
    /// What was found: one at least.
    pub findings: Vec<Finding>,
    /// Their codes, each once.
    pub reason_codes: Vec<String>,
    /// Where everything of the vault lies.
    pub locations: StorageLocations,
    /// What was looked at, by stable names: for people.
    pub facts: Vec<(String, String)>,
}

/// What the doctor does about what it finds.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Mend<'a> {
    /// It only looks.
    #[default]
    Nothing,
    /// What can be done without losing anything.
    All,
    /// The same, about findings of these codes.
    Only(&'a [&'a str]),
}

impl From<v1::Finding> for Finding {
    fn from(finding: v1::Finding) -> Self {
        use v1::finding::Severity as Wire;
        Self {
            severity: match finding.severity() {
                Wire::Ok => Severity::Ok,
                Wire::Note => Severity::Note,
                Wire::Warning => Severity::Warning,
                Wire::Error => Severity::Error,
                Wire::Unspecified => Severity::Unknown,
            },
            reason_code: finding.reason_code,
            explanation: finding.explanation,
            remedies: finding.remedies,
            fixed: finding.fixed,
            fix: finding.fix,
        }
    }
}

impl Client {
    /// Examines the vault, its places and the daemon; answered in every key state. Changes nothing
    /// but what `mend` says.
    pub async fn doctor(&self, mend: Mend<'_>) -> Result<DoctorReport, Error> {
        let only = match mend {
            Mend::Only(codes) => codes.iter().map(|code| (*code).to_owned()).collect(),
            Mend::Nothing | Mend::All => Vec::new(),
        };
        let request = DoctorRequest {
            fix: mend != Mend::Nothing,
            only,
        };
        let told = self.services.vault().doctor(request).await?.into_inner();
        Ok(DoctorReport {
            findings: told.findings.into_iter().map(Finding::from).collect(),
            reason_codes: told.reason_codes,
            locations: told.storage_locations.unwrap_or_default().into(),
            facts: told
                .facts
                .into_iter()
                .map(|fact| (fact.name, fact.value))
                .collect(),
        })
    }
}
