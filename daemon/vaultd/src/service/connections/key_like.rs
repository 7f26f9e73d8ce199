//! Members of a profile that look like a key. A key belongs into the keyring: in a profile it would
//! be listed, exported and shown.
//!
//! What counts is a text that is not empty under a name that says what it is, in any spelling:
//! `apiKey`, `api_key`, `X-Api-Key`. Numbers and names that merely speak of keys (`max_tokens`,
//! `api_key_env`, `has_secret`) are a profile's own business.

use serde_json::{Map, Value};

/// Names without their spaces, signs and capitals.
const NAMES: &[&str] = &[
    "auth",
    "authorization",
    "bearer",
    "cookie",
    "credential",
    "credentials",
    "key",
    "pass",
    "passwd",
    "proxyauthorization",
    "pwd",
    "secret",
    "token",
];

/// Ends of such names: `x-api-key`, `openai_api_key`, `oauth_access_token`.
const ENDS: &[&str] = &[
    "accesskey",
    "accesstoken",
    "apikey",
    "apitoken",
    "authtoken",
    "bearertoken",
    "clientsecret",
    "idtoken",
    "passphrase",
    "password",
    "privatekey",
    "refreshtoken",
    "secretkey",
    "sessiontoken",
    "subscriptionkey",
];

/// Schemes of `Authorization`, which give away a key whatever its member is called.
const SCHEMES: &[&str] = &["bearer ", "basic "];

/// Whether a name is one of a key.
pub(super) fn is_name(name: &str) -> bool {
    let letters = name.chars().filter(|letter| letter.is_alphanumeric());
    let name: String = letters.flat_map(char::to_lowercase).collect();
    NAMES.contains(&name.as_str()) || ENDS.iter().any(|end| name.ends_with(end))
}

/// The path of the first member, however deep, that looks like a key.
pub(super) fn find(members: &Map<String, Value>) -> Option<String> {
    members
        .iter()
        .find_map(|(name, value)| find_in(name, is_name(name), value))
}

/// Looks at a value and into it. What lies below the name of a key is a key, too.
fn find_in(path: &str, named: bool, value: &Value) -> Option<String> {
    match value {
        Value::String(text) if text.is_empty() => None,
        Value::String(text) => (named || is_authorization(text)).then(|| path.to_owned()),
        Value::Array(values) => values.iter().find_map(|value| find_in(path, named, value)),
        Value::Object(members) => members.iter().find_map(|(name, value)| {
            find_in(&format!("{path}.{name}"), named || is_name(name), value)
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) => None,
    }
}

fn is_authorization(text: &str) -> bool {
    let begins = |scheme: &&str| {
        let beginning = text.get(..scheme.len());
        beginning.is_some_and(|beginning| beginning.eq_ignore_ascii_case(scheme))
    };
    SCHEMES.iter().any(begins)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn found(value: &Value) -> Option<String> {
        find(value.as_object().expect("an object"))
    }

    #[test]
    fn keys_are_found_in_any_spelling_at_any_depth() {
        for (value, path) in [
            (json!({"api_key": "x"}), "api_key"),
            (json!({"apiKey": "x"}), "apiKey"),
            (json!({"API-KEY": "x"}), "API-KEY"),
            (json!({"openai_api_key": "x"}), "openai_api_key"),
            (json!({"key": "x"}), "key"),
            (json!({"token": ["", "x"]}), "token"),
            (json!({"secret": {"value": "x"}}), "secret.value"),
            (
                json!({"a": {"headers": {"X-Api-Key": "x"}}}),
                "a.headers.X-Api-Key",
            ),
            (
                json!({"headers": [{"Authorization": "x"}]}),
                "headers.Authorization",
            ),
            (
                json!({"headers": [{"name": "Authorization", "value": "bearer x"}]}),
                "headers.value",
            ),
        ] {
            assert_eq!(found(&value).as_deref(), Some(path), "{value}");
        }
    }

    #[test]
    fn what_merely_speaks_of_keys_stays() {
        for value in [
            json!({"max_tokens": 4096, "token_limit": 7, "max_tokens_text": "7"}),
            json!({"api_key": "", "key": null, "token": false, "secret": 7}),
            json!({"api_key_env": "OPENAI_API_KEY", "has_secret": "yes"}),
            json!({"keyboard": "de", "key_bindings": "vi", "author": "me", "passage": "a"}),
            json!({"model": "basic", "text": "bearer", "headers": {"X-Title": "a"}}),
        ] {
            assert_eq!(found(&value), None, "{value}");
        }
    }
}
