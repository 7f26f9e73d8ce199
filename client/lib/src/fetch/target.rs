//! A URL that may be fetched, as far as can be told without asking anybody.

use std::net::IpAddr;

use url::{Host, Url};

use super::error::FetchError;

/// Longer ones no server takes, in bytes.
const URL_LIMIT: usize = 8 << 10;

/// An http or https URL with a host and without credentials. No `Debug`: it may hold a key.
pub(super) struct Target(Url);

impl Target {
    /// The URL that a person gave.
    pub(super) fn parse(text: &str) -> Result<Self, FetchError> {
        if text.len() > URL_LIMIT {
            return Err(FetchError::Url(format!("longer than {URL_LIMIT} bytes")));
        }
        Self::check(Url::parse(text).map_err(|error| FetchError::Url(error.to_string()))?)
    }

    /// Where a server sends on to.
    pub(super) fn redirect(&self, location: &str) -> Result<Self, FetchError> {
        if location.len() > URL_LIMIT {
            return Err(FetchError::Url(format!("longer than {URL_LIMIT} bytes")));
        }
        let url = self.0.join(location);
        let next = Self::check(url.map_err(|error| FetchError::Url(error.to_string()))?)?;
        if self.secure() && !next.secure() {
            return Err(FetchError::Downgrade { host: self.host() });
        }
        Ok(next)
    }

    fn check(mut url: Url) -> Result<Self, FetchError> {
        if !matches!(url.scheme(), "http" | "https") {
            return Err(FetchError::Scheme(url.scheme().to_owned()));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(FetchError::Credentials);
        }
        if url.host().is_none() {
            return Err(FetchError::Url("it names no host".to_owned()));
        }
        url.set_fragment(None);
        Ok(Self(url))
    }

    pub(super) fn secure(&self) -> bool {
        self.0.scheme() == "https"
    }

    /// The host as the URL has it; an IPv6 address in brackets.
    pub(super) fn host(&self) -> String {
        self.0.host_str().unwrap_or_default().to_owned()
    }

    /// The address, where the host is one. Every spelling was understood as the number it is:
    /// `http://0x7f.1/` has the host 127.0.0.1.
    pub(super) fn address(&self) -> Option<IpAddr> {
        match self.0.host()? {
            Host::Domain(_) => None,
            Host::Ipv4(address) => Some(address.into()),
            Host::Ipv6(address) => Some(address.into()),
        }
    }

    pub(super) fn port(&self) -> u16 {
        self.0.port_or_known_default().unwrap_or_default()
    }

    /// Host and port as the `Host` field has them.
    pub(super) fn authority(&self) -> &str {
        self.0.authority()
    }

    /// Path and query, as a request has them.
    pub(super) fn path(&self) -> String {
        let query = self.0.query().map(|query| format!("?{query}"));
        format!("{}{}", self.0.path(), query.unwrap_or_default())
    }

    /// The last part of the path, still percent-encoded.
    pub(super) fn last_segment(&self) -> &str {
        self.0.path().rsplit('/').next().unwrap_or_default()
    }

    pub(super) fn as_str(&self) -> &str {
        self.0.as_str()
    }
}
