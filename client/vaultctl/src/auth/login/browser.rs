//! What a browser is asked to open.

use std::process::{Command, Stdio};

use url::Url;
use vault_client::{BaseUrl, Pkce, Secret, random_text};

use super::Asked;
use crate::failure::Failure;

/// An authorization request (RFC 6749, section 4.1.1, with PKCE).
pub(super) struct Request {
    /// To be opened. It holds nothing that grants anything: the verifier stays here.
    pub(super) address: String,
    /// What the answer must hold.
    pub(super) state: Secret,
    pub(super) pkce: Pkce,
}

impl Request {
    pub(super) fn new(base: &BaseUrl, asked: &Asked, redirect_uri: &str) -> Result<Self, Failure> {
        let (state, pkce) = (random_text()?, Pkce::new()?);
        let address = address(base, asked, redirect_uri, &state, &pkce)
            .map_err(|error| Failure::other(error.to_string()))?;
        Ok(Self {
            address,
            state,
            pkce,
        })
    }
}

fn address(
    base: &BaseUrl,
    asked: &Asked,
    redirect_uri: &str,
    state: &Secret,
    pkce: &Pkce,
) -> Result<String, url::ParseError> {
    let mut url = Url::parse(&base.page("/authorize"))?;
    url.query_pairs_mut()
        .append_pair("label", &asked.label)
        .append_pair("scope", &super::texts(&asked.scopes).join(" "))
        .append_pair("state", &String::from_utf8_lossy(state.expose()))
        .append_pair("code_challenge", &pkce.challenge)
        .append_pair("code_challenge_method", "S256")
        .append_pair("redirect_uri", redirect_uri);
    Ok(url.into())
}

/// Has the desktop open an address; whether there is something that does.
pub(super) fn open(address: &str) -> bool {
    let (program, arguments): (&str, &[&str]) = if cfg!(target_os = "macos") {
        ("open", &[])
    } else if cfg!(windows) {
        ("rundll32", &["url.dll,FileProtocolHandler"])
    } else {
        ("xdg-open", &[])
    };
    let started = Command::new(program)
        .args(arguments)
        .arg(address)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    started.is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_request_says_what_is_asked_for_and_keeps_the_verifier() {
        let base = "https://example.org/vault".parse().expect("a base URL");
        let asked = Asked {
            label: "vaultctl on böx & co".to_owned(),
            scopes: vec![
                "chat/*:write".parse().expect("a scope"),
                "notes:read".parse().expect("a scope"),
            ],
        };
        let redirect_uri = "http://127.0.0.1:1/callback";
        let request = Request::new(&base, &asked, redirect_uri).expect("random");
        let text = |secret: &Secret| String::from_utf8_lossy(secret.expose()).into_owned();
        let url = Url::parse(&request.address).expect("a URL");
        assert_eq!(url.path(), "/vault/authorize");
        let pairs: Vec<(String, String)> = url.query_pairs().into_owned().collect();
        let expected = [
            ("label", "vaultctl on böx & co"),
            ("scope", "chat/*:write notes:read"),
            ("state", &text(&request.state)),
            ("code_challenge", &request.pkce.challenge),
            ("code_challenge_method", "S256"),
            ("redirect_uri", "http://127.0.0.1:1/callback"),
        ];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(pairs, expected);
        assert!(!request.address.contains(&text(&request.pkce.verifier)));
    }
}
