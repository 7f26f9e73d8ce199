//! A profile: what its document holds, and what is accepted as one.

use serde_json::{Map, Value};
use tonic::Status;
use url::Url;
use vault_crypto::SecretName;
use vault_proto::v1::{Connection, Reason};
use vault_store::DocumentId;

use super::key_like;
use crate::error::{refusal, store_error};

/// Longest id, in bytes.
const ID_LIMIT: usize = 64;
/// Longest name, in bytes; it is the label of the secret, too.
const NAME_LIMIT: usize = 256;
/// Longest base URL, in bytes.
const URL_LIMIT: usize = 2048;

const NAME: &str = "name";
const BASE_URL: &str = "base_url";
const COMPATIBILITY: &str = "compatibility";

/// Members of the wire's own, which an application's must not stand beside.
const TAKEN: &[&str] = &[NAME, BASE_URL, COMPATIBILITY, "id", "has_secret", "active"];

/// The id of a connection: of its document and of its secret.
pub(super) struct ConnectionId {
    pub(super) document: DocumentId,
    pub(super) secret: SecretName,
}

impl ConnectionId {
    pub(super) fn parse(id: &str) -> Result<Self, Status> {
        let ordinary = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
        if !(1..=ID_LIMIT).contains(&id.len()) || !id.bytes().all(ordinary) {
            let text = "the id of a connection is 1 to 64 letters, digits, `_`, `-` or `.`";
            return Err(refusal(Reason::InvalidId, text, &[]));
        }
        let secret = SecretName::parse(&secret_name(id));
        Ok(Self {
            document: DocumentId::parse(id).map_err(|error| store_error(&error.into()))?,
            secret: secret.map_err(|error| refusal(Reason::InvalidId, error.to_string(), &[]))?,
        })
    }
}

/// What the secret of a connection is called.
pub(super) fn secret_name(id: &str) -> String {
    format!("connection:{id}")
}

/// What a profile says, beside its id.
#[derive(Default)]
pub(super) struct Profile {
    pub(super) name: String,
    pub(super) base_url: String,
    pub(super) compatibility: String,
    /// The other members.
    extra: Map<String, Value>,
}

impl Profile {
    /// As a client gives it.
    pub(super) fn given(connection: Connection) -> Result<Self, Status> {
        check_text(NAME, &connection.name, NAME_LIMIT)?;
        check_text(COMPATIBILITY, &connection.compatibility, ID_LIMIT)?;
        check_url(&connection.base_url).map_err(invalid)?;
        let extra = match connection.extra.as_slice() {
            [] => Map::new(),
            text => serde_json::from_slice(text)
                .map_err(|error| invalid(format!("`extra` is no JSON object: {error}")))?,
        };
        if let Some(name) = extra.keys().find(|name| TAKEN.contains(&name.as_str())) {
            return Err(invalid(format!("`extra` must not have a member `{name}`")));
        }
        if let Some(path) = key_like::find(&extra) {
            return Err(invalid(format!(
                "`{path}` in `extra` looks like a key: a profile holds none. Give it as the \
                 connection's key, which goes into the keyring"
            )));
        }
        Ok(Self {
            name: connection.name,
            base_url: connection.base_url,
            compatibility: connection.compatibility,
            extra,
        })
    }

    /// From a document, also one that was written as such: what is missing is empty, and what looks
    /// like a key is left out.
    pub(super) fn parse(body: &[u8]) -> Result<Self, serde_json::Error> {
        let mut extra: Map<String, Value> = serde_json::from_slice(body)?;
        let mut text = |name| match extra.remove(name) {
            Some(Value::String(text)) => text,
            _ => String::new(),
        };
        let (name, base_url) = (text(NAME), text(BASE_URL));
        let compatibility = text(COMPATIBILITY);
        extra.retain(|name, value| {
            let alone = Map::from_iter([(name.clone(), value.clone())]);
            !TAKEN.contains(&name.as_str()) && key_like::find(&alone).is_none()
        });
        Ok(Self {
            name,
            base_url,
            compatibility,
            extra,
        })
    }

    /// The document.
    pub(super) fn to_json(&self) -> Vec<u8> {
        let mut members = Map::new();
        for (name, text) in [
            (NAME, &self.name),
            (BASE_URL, &self.base_url),
            (COMPATIBILITY, &self.compatibility),
        ] {
            members.insert(name.to_owned(), Value::String(text.clone()));
        }
        members.extend(self.extra.clone());
        Value::Object(members).to_string().into_bytes()
    }

    /// The other members, as JSON; nothing where there are none.
    pub(super) fn extra(&self) -> Vec<u8> {
        if self.extra.is_empty() {
            return Vec::new();
        }
        Value::Object(self.extra.clone()).to_string().into_bytes()
    }
}

fn invalid(text: impl Into<String>) -> Status {
    refusal(Reason::InvalidArgument, text, &[])
}

fn check_text(what: &str, text: &str, limit: usize) -> Result<(), Status> {
    if text.len() <= limit && !text.chars().any(char::is_control) {
        return Ok(());
    }
    Err(invalid(format!(
        "`{what}` has at most {limit} bytes and no control characters"
    )))
}

/// Where requests go. A key may be in no part of it: it would be shown with the rest.
fn check_url(text: &str) -> Result<(), String> {
    let example = "give one such as https://api.example.org/v1";
    if text.len() > URL_LIMIT || text.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Err(format!(
            "a base URL has at most {URL_LIMIT} bytes and no spaces: {example}"
        ));
    }
    let url = Url::parse(text).map_err(|error| format!("no base URL: {error}; {example}"))?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err(format!(
            "a base URL begins with http:// or https://: {example}"
        ));
    }
    if !url.username().is_empty() || url.password().is_some() {
        let text = "a base URL holds no user and no password: give the password as the \
                    connection's key";
        return Err(text.to_owned());
    }
    if let Some((name, _)) = url.query_pairs().find(|(name, _)| key_like::is_name(name)) {
        return Err(format!(
            "`{name}` in the base URL looks like a key: give it as the connection's key"
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_url_is_a_plain_web_address() {
        for good in [
            "https://api.openai.com/v1",
            "http://localhost:11434",
            "http://[::1]:8080/v1/",
            "https://a.example/deployments/x?api-version=2024-02-01",
        ] {
            assert_eq!(check_url(good), Ok(()), "{good}");
        }
        for bad in [
            "",
            "api.openai.com/v1",
            "localhost:11434",
            "ftp://a.example/",
            "file:///etc/passwd",
            "https://",
            "https://a.example/a b",
            "https://user@a.example/",
            "https://:word@a.example/",
            "https://a.example/?api_key=word",
            "https://a.example/?a=b&key=word",
        ] {
            let error = check_url(bad).expect_err(bad);
            assert!(
                !error.contains("word@") && !error.contains("=word"),
                "{error}"
            );
        }
    }

    #[test]
    fn a_profile_comes_back_as_it_was_saved() {
        let given = Connection {
            name: "Open AI".into(),
            base_url: "https://a.example/v1".into(),
            compatibility: "openai".into(),
            extra: br#"{"model":"x","max_tokens":7}"#.into(),
            ..Connection::default()
        };
        let profile = Profile::given(given).expect("acceptable");
        let read = Profile::parse(&profile.to_json()).expect("a profile");
        assert_eq!(read.to_json(), profile.to_json());
        assert_eq!(
            (read.name.as_str(), read.compatibility.as_str()),
            ("Open AI", "openai")
        );
        let extra: Value = serde_json::from_slice(&read.extra()).expect("JSON");
        assert_eq!(extra, serde_json::json!({"model": "x", "max_tokens": 7}));
    }

    #[test]
    fn a_document_that_holds_a_key_does_not_show_it() {
        let body = br#"{"name":"a","api_key":"k","active":true,"headers":{"token":"k"},"n":1}"#;
        let profile = Profile::parse(body).expect("a profile");
        assert_eq!(profile.extra(), br#"{"n":1}"#);
        assert!(Profile::parse(b"[]").is_err());
    }

    #[test]
    fn ids_are_plain_words() {
        for good in ["a", "open-ai_2.x", &"x".repeat(64)] {
            let id = ConnectionId::parse(good).expect(good);
            assert_eq!(id.secret.as_str(), format!("connection:{good}"));
        }
        for bad in ["", "a/b", "a:b", "a b", "ä", "a\n", &"x".repeat(65)] {
            assert!(ConnectionId::parse(bad).is_err(), "{bad:?}");
        }
    }
}
