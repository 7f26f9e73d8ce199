//! How what the daemon answers is written as JSON.

use std::time::SystemTime;

use vault_client::{Permission, Principal, Scope, Secret};

use crate::failure::Failure;

/// RFC 3339, in UTC, to the second. None where the time is beyond what it can write.
pub fn time(time: SystemTime) -> Option<String> {
    let time = jiff::Timestamp::try_from(time).ok()?;
    let second = jiff::Timestamp::from_second(time.as_second()).ok()?;
    Some(second.to_string())
}

/// The same of a time that need not be.
pub fn maybe_time(at: Option<SystemTime>) -> Option<String> {
    at.and_then(time)
}

/// RFC 3339 of milliseconds since 1970, in UTC, to the second.
pub fn time_of_ms(ms: i64) -> String {
    // The daemon's clock gives none out of reach; the first moment stands for one that is.
    jiff::Timestamp::from_second(ms.div_euclid(1000))
        .unwrap_or(jiff::Timestamp::UNIX_EPOCH)
        .to_string()
}

/// A secret that is text: what the daemon hands out to be shown or kept.
pub fn text(secret: &Secret) -> Result<&str, Failure> {
    std::str::from_utf8(secret.expose()).map_err(|_| Failure::internal())
}

/// The word for a principal.
pub fn principal(principal: Principal) -> &'static str {
    match principal {
        Principal::Owner => "owner",
        Principal::Token => "token",
        Principal::Session => "session",
        Principal::Loopback => "loopback",
        Principal::Open => "open",
        Principal::Nobody => "nobody",
    }
}

/// A scope, as it is written in requests and answers.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WrittenScope {
    stores: String,
    permission: WrittenPermission,
}

#[derive(Clone, Copy, Debug, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
enum WrittenPermission {
    Read,
    Write,
    Admin,
}

/// Scopes, to be written.
pub fn scopes(scopes: &[Scope]) -> Vec<WrittenScope> {
    scopes.iter().map(WrittenScope::from).collect()
}

/// Scopes, as they were read.
pub fn read_scopes(written: Vec<WrittenScope>) -> Vec<Scope> {
    written.into_iter().map(Scope::from).collect()
}

impl From<&Scope> for WrittenScope {
    fn from(scope: &Scope) -> Self {
        let permission = match scope.permission {
            Permission::Read => WrittenPermission::Read,
            Permission::Write => WrittenPermission::Write,
            Permission::Admin => WrittenPermission::Admin,
        };
        let stores = scope.stores.clone();
        Self { stores, permission }
    }
}

impl From<WrittenScope> for Scope {
    fn from(written: WrittenScope) -> Self {
        let permission = match written.permission {
            WrittenPermission::Read => Permission::Read,
            WrittenPermission::Write => Permission::Write,
            WrittenPermission::Admin => Permission::Admin,
        };
        let stores = written.stores;
        Self { stores, permission }
    }
}
