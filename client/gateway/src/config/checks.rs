//! Whether settings can be used.

use std::{collections::BTreeMap, net::IpAddr, path::PathBuf};

use ipnet::IpNet;
use url::{Origin, Url};

use super::{ConfigError, Limits, TlsFiles};
use crate::routes;

/// Both files or none.
pub(super) fn tls(
    cert: Option<PathBuf>,
    key: Option<PathBuf>,
) -> Result<Option<TlsFiles>, ConfigError> {
    match (cert, key) {
        (Some(cert), Some(key)) => Ok(Some(TlsFiles { cert, key })),
        (None, None) => Ok(None),
        (Some(_), None) => Err(ConfigError("tls_cert needs tls_key beside it".to_owned())),
        (None, Some(_)) => Err(ConfigError("tls_key needs tls_cert beside it".to_owned())),
    }
}

/// Networks, or single addresses.
pub(super) fn networks(list: Vec<String>) -> Result<Vec<IpNet>, ConfigError> {
    let parse = |text: String| {
        let address = text.parse::<IpAddr>().map(IpNet::from);
        address.or_else(|_| text.parse::<IpNet>()).map_err(|_| {
            ConfigError(format!(
                "trusted_proxies: `{text}` is no network: write it like `10.0.0.0/8` or `::1`"
            ))
        })
    };
    list.into_iter().map(parse).collect()
}

/// Origins as browsers send them, so that they are compared as text.
pub(super) fn origins(list: Vec<String>) -> Result<Vec<String>, ConfigError> {
    let parse = |text: String| {
        let url = Url::parse(&text).ok();
        let whole = url.filter(|url| url.path() == "/" && url.query().is_none());
        match whole.map(|url| url.origin()) {
            Some(origin @ Origin::Tuple(..)) => Ok(origin.ascii_serialization()),
            // Any origin at all (`*`, `null`) is what this setting is there to prevent.
            _ => Err(ConfigError(format!(
                "cors_origins: `{text}` is no origin: write it like `https://app.example.org`"
            ))),
        }
    };
    list.into_iter().map(parse).collect()
}

/// Names that no route has.
pub(super) fn aliases(
    aliases: BTreeMap<String, String>,
) -> Result<BTreeMap<String, String>, ConfigError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || ['-', '_'].contains(&c);
    for name in aliases.keys() {
        if name.is_empty() || !name.chars().all(plain) {
            return Err(ConfigError(format!(
                "aliases.{name}: letters, digits, `-` and `_` make a name"
            )));
        }
        let taken = routes::all()
            .filter_map(|route| route.path.strip_prefix("/api/"))
            .any(|path| path.split('/').next() == Some(name));
        if taken {
            return Err(ConfigError(format!(
                "aliases.{name}: /api/{name} is an address of the gateway's own"
            )));
        }
    }
    Ok(aliases)
}

/// Bounds of nothing bound nothing, or all.
pub(super) fn limits(limits: Limits) -> Result<Limits, ConfigError> {
    let positive = [
        ("connections", limits.connections == 0),
        ("streams_per_connection", limits.streams_per_connection == 0),
        ("header_seconds", limits.header_seconds == 0),
        ("body_seconds", limits.body_seconds == 0),
    ];
    match positive.iter().find(|(_, zero)| *zero) {
        Some((name, _)) => Err(ConfigError(format!("limits.{name} must not be 0"))),
        None => Ok(limits),
    }
}
