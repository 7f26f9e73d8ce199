//! Names of secrets: what a client calls an API key, in the list of them and in the keyring.

use std::{fmt, str::FromStr};

/// Text that is no name of a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the name of a secret is `namespace:id`, such as `connection:openai`: a namespace of 1 to 64 \
     letters, digits, `_`, `-` or `.`, and an id of 1 to 128 of these, `/`, `@` or `+`"
)]
pub struct ParseSecretNameError;

/// The name of a secret, `namespace:id`. Plain ASCII without spaces or control characters, so that
/// it stands as it is in a keyring's account, on a terminal and in a log.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SecretName(Box<str>);

impl SecretName {
    /// Longest namespace, in bytes.
    pub const NAMESPACE_LIMIT: usize = 64;
    /// Longest id, in bytes.
    pub const ID_LIMIT: usize = 128;

    /// Parses a name.
    pub fn parse(name: &str) -> Result<Self, ParseSecretNameError> {
        let ordinary = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
        let (namespace, id) = name.split_once(':').ok_or(ParseSecretNameError)?;
        let fits = (1..=Self::NAMESPACE_LIMIT).contains(&namespace.len())
            && namespace.bytes().all(ordinary)
            && (1..=Self::ID_LIMIT).contains(&id.len())
            && id
                .bytes()
                .all(|byte| ordinary(byte) || b"/@+".contains(&byte));
        if fits {
            Ok(Self(name.into()))
        } else {
            Err(ParseSecretNameError)
        }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SecretName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for SecretName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretName({self})")
    }
}

impl FromStr for SecretName {
    type Err = ParseSecretNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_a_namespace_and_an_id() {
        let (long, longest) = ("n".repeat(64), "i".repeat(128));
        for good in [
            "connection:openai",
            "image:stable-diffusion.v2",
            "mail:me+work@example.org",
            "a:b/c",
            &format!("{long}:{longest}"),
        ] {
            assert_eq!(SecretName::parse(good).expect(good).as_str(), good);
        }
        for bad in [
            "",
            ":",
            "openai",
            ":openai",
            "connection:",
            "connection:a:b",
            "connection/x:y",
            "con nection:x",
            "connection:a b",
            "connection:a\n",
            "connection:\u{1b}[2J",
            "connection:ö",
            &format!("{long}n:x"),
            &format!("x:{longest}i"),
        ] {
            assert_eq!(SecretName::parse(bad), Err(ParseSecretNameError), "{bad:?}");
        }
    }
}
