//! Where the generation of the tables is remembered outside of them.

/// Why there is no number to be had, or none was kept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AnchorError {
    /// The keyring did not answer: it may, later.
    #[error("{0}")]
    Unreachable(String),
    /// What it holds is no number, and stays none.
    #[error("{0}. `vaultctl auth accept` takes the tables as they are")]
    Damaged(String),
}

/// Remembers one number, in the keyring.
///
/// Written after the tables and before the change is acknowledged: tables ahead of the anchor are
/// sound, tables behind it are an older copy.
pub trait Anchor: Send + Sync {
    /// Whether it can remember anything: a backend that holds the storage key alone cannot.
    fn is_kept(&self) -> bool;

    /// The generation remembered; none before the first.
    fn load(&self) -> Result<Option<u64>, AnchorError>;

    /// Remembers `generation`, durably.
    fn save(&self, generation: u64) -> Result<(), AnchorError>;
}
