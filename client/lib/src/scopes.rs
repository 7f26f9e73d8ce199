//! What a token reaches.

use std::{fmt, str::FromStr};

use vault_proto::v1;

/// How far a scope reaches; each includes those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Permission {
    /// Reads.
    Read,
    /// Changes what is in a store.
    Write,
    /// Changes the stores; on `*`: everything.
    Admin,
}

impl Permission {
    const ALL: [Self; 3] = [Self::Read, Self::Write, Self::Admin];

    /// `read`, `write` or `admin`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Admin => "admin",
        }
    }
}

/// Stores and how far they are reached. Written `STORES:read`, `chat/*:write`, `*:admin`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    /// A store's name, a name and `/*`, or `*`.
    pub stores: String,
    /// How far.
    pub permission: Permission,
}

/// A scope that is written in another way.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no scope: it is written STORES:PERMISSION, such as `notes:read`, `chat/*:write` or \
     `*:admin`"
)]
pub struct ScopeError(String);

impl FromStr for Scope {
    type Err = ScopeError;

    fn from_str(text: &str) -> Result<Self, ScopeError> {
        let wrong = || ScopeError(text.to_owned());
        let (stores, permission) = text.rsplit_once(':').ok_or_else(wrong)?;
        let name = match stores {
            "*" => "",
            stores => stores.strip_suffix("/*").unwrap_or(stores),
        };
        // Whether a store can have the name, the daemon says.
        if stores.is_empty() || stores == "/*" || name.contains(['*', ':']) {
            return Err(wrong());
        }
        let permission = Permission::ALL
            .into_iter()
            .find(|known| known.as_str() == permission);
        Ok(Self {
            stores: stores.to_owned(),
            permission: permission.ok_or_else(wrong)?,
        })
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.stores, self.permission.as_str())
    }
}

impl Scope {
    /// One of a later version counts as the least: it is shown here, and judged by the daemon.
    pub(crate) fn received(scope: v1::Scope) -> Self {
        let permission = match scope.permission() {
            v1::Permission::Admin => Permission::Admin,
            v1::Permission::Write => Permission::Write,
            v1::Permission::Read | v1::Permission::Unspecified => Permission::Read,
        };
        Self {
            stores: scope.stores,
            permission,
        }
    }

    pub(crate) fn wire(&self) -> v1::Scope {
        let permission = match self.permission {
            Permission::Read => v1::Permission::Read,
            Permission::Write => v1::Permission::Write,
            Permission::Admin => v1::Permission::Admin,
        };
        v1::Scope {
            stores: self.stores.clone(),
            permission: permission.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_is_read_as_it_is_written() {
        for (text, stores, permission) in [
            ("notes:read", "notes", Permission::Read),
            ("chat/*:write", "chat/*", Permission::Write),
            ("chat/profiles:write", "chat/profiles", Permission::Write),
            ("*:admin", "*", Permission::Admin),
        ] {
            let scope: Scope = text.parse().expect(text);
            assert_eq!(
                (scope.stores.as_str(), scope.permission),
                (stores, permission)
            );
            assert_eq!(scope.to_string(), text);
            assert_eq!(Scope::received(scope.wire()), scope);
        }
        for wrong in [
            "",
            "notes",
            ":read",
            "/*:read",
            "notes:",
            "notes:all",
            "notes:Read",
            "a*:read",
            "*/a:read",
            "a/*/b:read",
            "**:read",
            "a:b:read",
        ] {
            assert_eq!(wrong.parse::<Scope>(), Err(ScopeError(wrong.to_owned())));
        }
    }
}
