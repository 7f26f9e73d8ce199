//! Pages of listings.

use serde::{Deserialize, Deserializer};

/// Entries of a page where nobody says how many.
const DEFAULT: usize = 100;
/// Entries of a page, at most.
const LIMIT: usize = 1000;

/// How many entries a page has at most: `?limit=`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageLimit(usize);

impl PageLimit {
    /// The number.
    pub const fn get(self) -> usize {
        self.0
    }
}

impl Default for PageLimit {
    fn default() -> Self {
        Self(DEFAULT)
    }
}

impl<'de> Deserialize<'de> for PageLimit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let limit = usize::deserialize(deserializer)?;
        if (1..=LIMIT).contains(&limit) {
            return Ok(Self(limit));
        }
        let text = format!("a page has 1 to {LIMIT} entries");
        Err(serde::de::Error::custom(text))
    }
}
