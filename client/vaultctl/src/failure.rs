//! Failures and the exit codes they end with.

use std::process::ExitCode;

use vault_client::Error;

/// A failure, ready to be shown.
#[derive(Debug)]
pub(crate) struct Failure {
    code: u8,
    message: String,
}

impl Failure {
    /// Exit code 1.
    pub(crate) fn other(message: impl Into<String>) -> Self {
        Self {
            code: 1,
            message: message.into(),
        }
    }

    /// Exit code 2.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self {
            code: 2,
            message: message.into(),
        }
    }

    /// Exit code 4.
    pub(crate) fn locked(message: impl Into<String>) -> Self {
        Self {
            code: 4,
            message: message.into(),
        }
    }

    /// Prints the message and gives the exit code.
    pub(crate) fn report(&self) -> ExitCode {
        eprintln!("vaultctl: {}", self.message);
        ExitCode::from(self.code)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let code = match &error {
            Error::NoDaemon { .. } | Error::StartFailed(_) => 6,
            Error::ForeignServer { .. } => 4,
            Error::OtherVault { .. } | Error::Local(_) => 1,
            Error::Refused(refusal) => match refusal.reason.as_str() {
                "NOT_FOUND" => 3,
                "LOCKED"
                | "KEYRING_LOCKED"
                | "KEYRING_UNAVAILABLE"
                | "KEYRING_DENIED"
                | "KEYRING_TIMEOUT"
                | "KEY_MISSING"
                | "WRONG_KEY"
                | "WRONG_PASSPHRASE"
                | "PERMISSION_DENIED" => 4,
                "REVISION_CONFLICT" | "REVISION_GONE" | "ALREADY_EXISTS" => 5,
                "INVALID_ID" | "INVALID_ARGUMENT" => 2,
                _ => 1,
            },
        };
        Self {
            code,
            message: error.to_string(),
        }
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::other(error.to_string())
    }
}
