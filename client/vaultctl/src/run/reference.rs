//! Names of variables and secrets, parsed once.

use std::{fmt, str::FromStr};

/// What stands before a secret's name where a .env file refers to one.
pub(super) const PREFIX: &str = "vault:";

/// Name of an environment variable.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct VariableName(String);

impl VariableName {
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for VariableName {
    type Err = String;

    /// Letters, digits, `_` and `.`, the first of them no digit and no dot: what every shell and
    /// every other reader of .env files takes, and never a path when it names a file.
    fn from_str(text: &str) -> Result<Self, String> {
        let begins = |c: char| c.is_ascii_alphabetic() || c == '_';
        let goes_on = |c: char| begins(c) || c.is_ascii_digit() || c == '.';
        if text.starts_with(begins) && text.chars().all(goes_on) {
            return Ok(Self(text.to_owned()));
        }
        Err(
            "the name of a variable has letters, digits, `_` and `.`, and begins with a letter or `_`"
                .to_owned(),
        )
    }
}

impl fmt::Display for VariableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Name of a secret, `namespace:id`. The daemon has the last word on it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct SecretName(String);

impl SecretName {
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for SecretName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            Some((namespace, id)) if !namespace.is_empty() && !id.is_empty() => {
                Ok(Self(text.to_owned()))
            }
            _ => Err("a secret is named NAMESPACE:ID, such as connection:openai".to_owned()),
        }
    }
}

impl fmt::Display for SecretName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// `NAME=NS:ID`: which variable is to hand over which secret.
#[derive(Clone, Debug)]
pub(super) struct Binding {
    pub(super) variable: VariableName,
    pub(super) secret: SecretName,
}

impl FromStr for Binding {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (variable, secret) = text
            .split_once('=')
            .ok_or("say which variable and which secret: NAME=NAMESPACE:ID")?;
        Ok(Self {
            variable: variable.parse()?,
            secret: secret.parse()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_binding_names_a_variable_and_a_secret() {
        let binding: Binding = "API_KEY=connection:open=ai:2".parse().expect("both");
        assert_eq!(binding.variable.as_str(), "API_KEY");
        assert_eq!(binding.secret.as_str(), "connection:open=ai:2");
        for wrong in [
            "", "KEY", "KEY=", "KEY=a", "KEY=:a", "KEY=a:", "=a:b", "a:b",
        ] {
            assert!(wrong.parse::<Binding>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn names_that_a_shell_could_not_read_are_refused() {
        for right in ["A", "_", "a1", "spring.key", "_9"] {
            assert!(right.parse::<VariableName>().is_ok(), "{right}");
        }
        for wrong in ["", "1A", ".", "..", "A-B", "A B", "A/B", "A\0", "Ä", "A\n"] {
            assert!(wrong.parse::<VariableName>().is_err(), "{wrong}");
        }
    }
}
