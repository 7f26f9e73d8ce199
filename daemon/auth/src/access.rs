//! What a credential reaches: stores by pattern, and how far in each.

use std::fmt;

use serde::{Deserialize, Serialize};
use vault_store::StoreName;

/// How far something reaches. Each includes those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Permission {
    /// Reads.
    Read,
    /// Changes what is in a store.
    Write,
    /// Changes the stores; on every store: the vault, its keys and its secrets.
    Admin,
}

/// Text that is no scope.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no pattern of stores: use a store's name, a name and `/*`, or `*`")]
pub struct ScopeError(pub String);

/// A set of stores.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum StorePattern {
    /// `*`
    Every,
    /// One store by its name.
    One(String),
    /// `name/*`: every store below a name, however deep, and not the name itself.
    Below(String),
}

impl StorePattern {
    /// Parses `*`, a store's name, or `name/*`.
    pub fn parse(text: &str) -> Result<Self, ScopeError> {
        let name = |name: &str| match StoreName::parse(name) {
            Ok(name) => Ok(name.to_string()),
            Err(_) => Err(ScopeError(text.to_owned())),
        };
        match text.strip_suffix("/*") {
            _ if text == "*" => Ok(Self::Every),
            Some(above) => name(above).map(Self::Below),
            None => name(text).map(Self::One),
        }
    }

    /// Whether a store is in it.
    pub fn covers(&self, store: &str) -> bool {
        match self {
            Self::Every => true,
            Self::One(name) => name == store,
            Self::Below(above) => is_below(store, above),
        }
    }

    /// Whether all that is in `other` is in this one.
    fn includes(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Every, _) => true,
            (_, Self::Every) | (Self::One(_), Self::Below(_)) => false,
            (Self::Below(above), Self::Below(name)) => name == above || is_below(name, above),
            (_, Self::One(name)) => self.covers(name),
        }
    }
}

fn is_below(store: &str, above: &str) -> bool {
    let rest = store.strip_prefix(above);
    rest.is_some_and(|rest| rest.starts_with('/'))
}

impl fmt::Display for StorePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Every => f.write_str("*"),
            Self::One(name) => f.write_str(name),
            Self::Below(above) => write!(f, "{above}/*"),
        }
    }
}

impl TryFrom<String> for StorePattern {
    type Error = ScopeError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

impl From<StorePattern> for String {
    fn from(pattern: StorePattern) -> Self {
        pattern.to_string()
    }
}

/// A pattern, and how far the stores in it are reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoreScope {
    /// Which stores.
    pub stores: StorePattern,
    /// How far.
    pub permission: Permission,
}

/// Everything that a credential reaches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Access {
    /// As far as the owner: browser sessions, the verified loopback.
    Full,
    /// A token's scopes.
    Scoped(Vec<StoreScope>),
}

impl Access {
    fn any(&self, reached: impl Fn(&StoreScope) -> bool) -> bool {
        match self {
            Self::Full => true,
            Self::Scoped(scopes) => scopes.iter().any(reached),
        }
    }

    /// Whether this store is reached so far.
    pub fn allows(&self, store: &str, needed: Permission) -> bool {
        self.any(|scope| scope.permission >= needed && scope.stores.covers(store))
    }

    /// Whether the vault as a whole is reached so far: by a scope on every store.
    pub fn allows_all(&self, needed: Permission) -> bool {
        self.any(|scope| scope.permission >= needed && scope.stores == StorePattern::Every)
    }

    /// Whether some store is reached so far: whoever may list them may ask.
    pub fn allows_any(&self, needed: Permission) -> bool {
        self.any(|scope| scope.permission >= needed)
    }

    /// Whether nothing in `scopes` reaches further than this.
    pub fn includes(&self, scopes: &[StoreScope]) -> bool {
        scopes.iter().all(|asked| {
            self.any(|own| own.permission >= asked.permission && own.stores.includes(&asked.stores))
        })
    }
}

#[cfg(test)]
mod tests;
