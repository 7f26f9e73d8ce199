//! The program that is to be run.

use std::{
    ffi::{OsStr, OsString},
    io::{self, ErrorKind},
    process::Command,
};

use crate::failure::Failure;

use super::reference::VariableName;

/// Exit code where a program is not found (POSIX, `env` and every shell).
const NOT_FOUND: u8 = 127;
/// Exit code where it is found and cannot be run.
const NOT_RUNNABLE: u8 = 126;

/// A program with its arguments and the variables it gets beside those of `vaultctl`.
pub(super) struct Program {
    words: Vec<OsString>,
    variables: Vec<(VariableName, OsString)>,
}

impl Program {
    pub(super) fn new(words: Vec<OsString>) -> Self {
        let variables = Vec::new();
        Self { words, variables }
    }

    /// Adds variables.
    pub(super) fn set(&mut self, variables: impl IntoIterator<Item = (VariableName, OsString)>) {
        self.variables.extend(variables);
    }

    /// Ready to be run. Holds the values for as long as it lives.
    pub(super) fn command(&self) -> Command {
        // The parser asks for one word at least.
        let mut words = self.words.iter();
        let mut command = Command::new(words.next().map_or(OsStr::new(""), OsString::as_os_str));
        command.args(words);
        for (name, value) in &self.variables {
            command.env(name.as_str(), value);
        }
        command
    }

    /// Why it did not run.
    pub(super) fn failed(&self, error: &io::Error) -> Failure {
        let code = if error.kind() == ErrorKind::NotFound {
            NOT_FOUND
        } else {
            NOT_RUNNABLE
        };
        let shown = self.words.first().map(|word| word.to_string_lossy());
        let shown = shown.unwrap_or_default();
        Failure::other(format!("{shown}: {error}")).with_code(code)
    }
}
