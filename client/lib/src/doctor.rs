//! What is wrong with a vault, and the way out.

use vault_proto::v1::{self, DoctorRequest};

use crate::{Client, Error};

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
    /// Stable name, such as `key-missing`.
    pub name: String,
    /// For people.
    pub explanation: String,
    /// For people: each a command that leads out, or a sentence where there is none.
    pub remedies: Vec<String>,
    /// Mended by this call.
    pub fixed: bool,
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
            name: finding.name,
            explanation: finding.explanation,
            remedies: finding.remedies,
            fixed: finding.fixed,
        }
    }
}

impl Client {
    /// Explains the state the vault is in; answered in every key state. `fix` does what can be
    /// done without losing anything.
    pub async fn doctor(&self, fix: bool) -> Result<Vec<Finding>, Error> {
        let found = self.services.vault().doctor(DoctorRequest { fix }).await?;
        let findings = found.into_inner().findings;
        Ok(findings.into_iter().map(Finding::from).collect())
    }
}
