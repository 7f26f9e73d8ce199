//! What the doctor can find: one table of reason codes, and what a finding says.
//!
//! [`surroundings`] judges where the vault lies and what the daemon runs under, from facts that are
//! handed to it. What is wrong with the vault itself is the keeper's to say.

mod codes;
pub mod surroundings;

pub use codes::Code;
use vault_proto::v1::finding::Severity;

/// One thing found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// What it is.
    pub code: Code,
    /// For people.
    pub explanation: String,
    /// Commands that lead out.
    pub remedies: Vec<String>,
    /// What `--fix` would do about it; empty where it can do nothing.
    pub fix: &'static str,
    /// Mended just now.
    pub fixed: bool,
}

impl Finding {
    /// A finding without a remedy.
    pub fn new(severity: Severity, code: Code, explanation: impl Into<String>) -> Self {
        Self {
            severity,
            code,
            explanation: explanation.into(),
            remedies: Vec::new(),
            fix: "",
            fixed: false,
        }
    }

    /// With a way out.
    #[must_use]
    pub fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedies.push(remedy.into());
        self
    }

    /// One that `--fix` mends, and whether it just has.
    #[must_use]
    pub fn mended(mut self, fixed: bool) -> Self {
        self.fix = self.code.fix();
        self.fixed = fixed;
        self.remedy("run `vaultctl doctor --fix`")
    }
}

/// Something that was looked at, whether or not it is a finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    /// A stable name, in snake case.
    pub name: &'static str,
    /// For people.
    pub value: String,
}

impl Fact {
    /// A fact.
    pub fn new(name: &'static str, value: impl Into<String>) -> Self {
        Self {
            name,
            value: value.into(),
        }
    }
}

/// What is to be mended.
#[derive(Clone, Debug, Default)]
pub enum Fix {
    /// Nothing: the doctor only looks.
    #[default]
    Nothing,
    /// Whatever can be.
    All,
    /// What these codes name.
    Only(Vec<Code>),
}

impl Fix {
    /// Whether findings of this code are to be mended.
    pub fn wants(&self, code: Code) -> bool {
        match self {
            Self::Nothing => false,
            Self::All => true,
            Self::Only(codes) => codes.contains(&code),
        }
    }

    /// Whether anything is.
    pub const fn wants_any(&self) -> bool {
        !matches!(self, Self::Nothing)
    }
}

/// All that the doctor has to say.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// What was found: one at least.
    pub findings: Vec<Finding>,
    /// What was looked at.
    pub facts: Vec<Fact>,
}
