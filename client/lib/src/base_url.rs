//! The address of a vault's gateway.

use std::{fmt, str::FromStr};

use url::{Host, Url};

/// Where a gateway is reached: `https://vault.example.org`, or `http://localhost:7787`.
///
/// Over plain http only this machine is spoken to, and there is no way around it: whoever listens on
/// the way has the token. What stands on another machine without TLS is reached through a tunnel,
/// such as `ssh -L 7787:localhost:7787 HOST`. At its far end sshd dials as the user, whoever uses the
/// port at the near one: the loopback bypass has to be off there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseUrl {
    /// Without a slash at the end.
    text: String,
    url: Url,
}

/// Why a text is no base URL.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BaseUrlError {
    /// No URL at all.
    #[error("no URL: {0}; a base URL is such as https://vault.example.org")]
    Malformed(#[from] url::ParseError),
    /// Another scheme.
    #[error("the scheme is `{0}`: a base URL begins with https:// or http://")]
    Scheme(String),
    /// User name, password, query or fragment.
    #[error("a base URL holds a host and a path, and nothing besides")]
    Besides,
    /// Plain http to another machine.
    #[error(
        "http to {0} would show the token to whoever listens: use https, or a tunnel such as \
         `ssh -L 7787:localhost:7787 HOST` and http://localhost:7787, with \
         `vaultctl auth configure --loopback-bypass off` on the far side"
    )]
    Insecure(String),
}

impl BaseUrl {
    /// Without a slash at the end.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The address of a page: `path` begins with a slash.
    pub fn page(&self, path: &str) -> String {
        format!("{}{path}", self.text)
    }

    /// Whether TLS is spoken.
    pub(crate) fn secure(&self) -> bool {
        self.url.scheme() == "https"
    }

    /// The host, an IPv6 address without brackets.
    pub(crate) fn host(&self) -> String {
        match self.url.host() {
            Some(Host::Ipv6(address)) => address.to_string(),
            host => host.map(|host| host.to_string()).unwrap_or_default(),
        }
    }

    /// Scheme and authority, and what stands before the path of each call.
    pub(crate) fn split(&self) -> (&str, &str, &str) {
        let after_scheme = self.text.find("://").map_or(0, |at| at + 3);
        let path = self.text[after_scheme..].find('/');
        let end = path.map_or(self.text.len(), |at| after_scheme + at);
        let (authority, path) = (&self.text[after_scheme..end], &self.text[end..]);
        (self.url.scheme(), authority, path)
    }
}

impl FromStr for BaseUrl {
    type Err = BaseUrlError;

    fn from_str(text: &str) -> Result<Self, BaseUrlError> {
        let url = Url::parse(text)?;
        let secure = match url.scheme() {
            "https" => true,
            "http" => false,
            other => return Err(BaseUrlError::Scheme(other.to_owned())),
        };
        let besides = !url.username().is_empty()
            || url.password().is_some()
            || url.query().is_some()
            || url.fragment().is_some();
        if besides {
            return Err(BaseUrlError::Besides);
        }
        if !secure && !loopback(&url) {
            let host = url.host_str().unwrap_or_default().to_owned();
            return Err(BaseUrlError::Insecure(host));
        }
        let text = url.as_str().trim_end_matches('/').to_owned();
        Ok(Self { text, url })
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => is_localhost(name),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// A name that means this machine and no other (RFC 6761, section 6.3).
pub(crate) fn is_localhost(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    name == "localhost" || name.ends_with(".localhost")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_url_is_taken_as_one_text() {
        for (given, text, parts) in [
            (
                "https://Vault.Example.org/",
                "https://vault.example.org",
                ("https", "vault.example.org", ""),
            ),
            (
                "https://example.org:8443/my/vault//",
                "https://example.org:8443/my/vault",
                ("https", "example.org:8443", "/my/vault"),
            ),
            (
                "http://localhost:7787",
                "http://localhost:7787",
                ("http", "localhost:7787", ""),
            ),
            ("http://[::1]:80/", "http://[::1]", ("http", "[::1]", "")),
            (
                "http://vault.localhost",
                "http://vault.localhost",
                ("http", "vault.localhost", ""),
            ),
            // Every spelling of an address is understood as the address it is.
            (
                "http://127.1",
                "http://127.0.0.1",
                ("http", "127.0.0.1", ""),
            ),
        ] {
            let url: BaseUrl = given.parse().expect(given);
            assert_eq!(url.as_str(), text);
            assert_eq!(url.split(), parts);
        }
        let url: BaseUrl = "https://example.org/vault/".parse().expect("a base URL");
        assert_eq!(url.page("/device"), "https://example.org/vault/device");
    }

    #[test]
    fn no_token_goes_over_a_network_in_the_clear() {
        for insecure in [
            "http://example.org",
            "http://192.168.0.2:7787",
            "http://localhost.example.org",
            "http://notlocalhost",
            "http://[::2]",
            "http://0.0.0.0",
        ] {
            let error = insecure.parse::<BaseUrl>().expect_err(insecure);
            assert!(matches!(error, BaseUrlError::Insecure(_)), "{insecure}");
        }
    }

    #[test]
    fn a_base_url_holds_nothing_besides() {
        for wrong in [
            "https://user@example.org",
            "https://:password@example.org",
            "https://example.org/?a=b",
            "https://example.org/#a",
        ] {
            assert_eq!(wrong.parse::<BaseUrl>(), Err(BaseUrlError::Besides));
        }
        for wrong in ["example.org", "localhost:7787", "ftp://example.org", ""] {
            assert!(wrong.parse::<BaseUrl>().is_err(), "{wrong}");
        }
    }
}
