//! What is recorded, and what happens where that cannot be done.

use std::time::Duration;

use vault_store::audit::Bounds;

/// What happens to a call whose record cannot be kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Policy {
    /// It fails, before it is done.
    Required,
    /// It goes on; how many records are missing becomes a record once that can be kept.
    #[default]
    BestEffort,
}

impl Policy {
    /// `required` or `best-effort`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Required => "required",
            Self::BestEffort => "best-effort",
        }
    }
}

/// Which calls are recorded besides those that always are: refusals, sign-ins, whatever is done with
/// secrets, keys, and the vault and its stores themselves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Calls {
    /// No others.
    #[default]
    Sensitive,
    /// Whatever changes what is in a store.
    Writes,
    /// Reads, too.
    All,
}

impl Calls {
    /// `sensitive`, `writes` or `all`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sensitive => "sensitive",
            Self::Writes => "writes",
            Self::All => "all",
        }
    }
}

/// `[audit]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuditSettings {
    /// What happens to a call whose record cannot be kept.
    pub policy: Policy,
    /// What is recorded.
    pub calls: Calls,
    /// How large the log becomes.
    pub bounds: Bounds,
    /// After how many records the keyring is told of the newest.
    pub anchor_records: u64,
    /// After how long it is.
    pub anchor_after: Duration,
}

impl Default for AuditSettings {
    fn default() -> Self {
        Self {
            policy: Policy::default(),
            calls: Calls::default(),
            bounds: Bounds::default(),
            anchor_records: 256,
            anchor_after: Duration::from_secs(60),
        }
    }
}
