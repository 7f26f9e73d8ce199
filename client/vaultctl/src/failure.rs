//! Failures and the exit codes they end with.

use std::process::ExitCode;

use vault_client::Error;

use crate::output;

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

    /// Exit code 3.
    pub(crate) fn missing(message: impl Into<String>) -> Self {
        Self {
            code: 3,
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

    /// Exit code 5.
    pub(crate) fn conflict(message: impl Into<String>) -> Self {
        Self {
            code: 5,
            message: message.into(),
        }
    }

    /// With an exit code of its own, where a convention gives one.
    pub(crate) fn with_code(self, code: u8) -> Self {
        Self { code, ..self }
    }

    /// With more to say.
    pub(crate) fn with(self, more: &str) -> Self {
        Self {
            message: format!("{}; {more}", self.message),
            ..self
        }
    }

    /// With another message.
    pub(crate) fn saying(self, message: String) -> Self {
        Self { message, ..self }
    }

    /// Prints the message. It may hold a name from a database or a file.
    pub(crate) fn show(&self) {
        let lines: Vec<String> = self.message.lines().map(output::printable).collect();
        eprintln!("vaultctl: {}", lines.join("\n"));
    }

    /// Prints the message and gives the exit code.
    pub(crate) fn report(&self) -> ExitCode {
        self.show();
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
                "NOT_FOUND" | "NO_ROTATION" | "BLOB_MISSING" | "SECRET_VALUE_MISSING" => 3,
                "LOCKED"
                | "KEYRING_LOCKED"
                | "KEYRING_UNAVAILABLE"
                | "KEYRING_DENIED"
                | "KEYRING_TIMEOUT"
                | "KEY_MISSING"
                | "WRONG_KEY"
                | "WRONG_PASSPHRASE"
                | "RATE_LIMITED"
                | "MASTER_NEEDED"
                | "SALT_UNUSABLE"
                | "KEYRING_UNSUPPORTED"
                | "PERMISSION_DENIED"
                | "UNAUTHENTICATED"
                | "HOST_NOT_ADMITTED"
                | "CROSS_ORIGIN"
                | "PAIRING_REQUIRED"
                | "PAIRING_CODE_WRONG"
                | "PASSKEY_REFUSED"
                | "AUTH_ROLLED_BACK"
                | "AUTH_UNAVAILABLE"
                | "ADMIN_TOKEN_MISSING"
                | "AUTHORIZATION_PENDING"
                | "LOGIN_REFUSED"
                | "SQL_REFUSED" => 4,
                // The connection broke: the daemon is gone. Or the gateway says that it is.
                "" | "NO_DAEMON" => 6,
                "REVISION_CONFLICT" | "REVISION_GONE" | "ALREADY_EXISTS" | "ROTATION_RUNNING"
                | "DATABASE_BUSY" | "TRANSACTION_ENDED" | "SCHEMA_NEWER" | "IN_USE"
                | "ALREADY_PAIRED" => 5,
                "INVALID_ID" | "INVALID_ARGUMENT" | "UNFIT_SECRET" | "ORIGIN_UNFIT" => 2,
                _ => 1,
            },
        };
        let failure = Self {
            code,
            message: error.to_string(),
        };
        if error.reason() == Some("UNAUTHENTICATED") {
            return failure.with("`vaultctl auth login` saves a token, --token-file names one");
        }
        failure
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::other(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(reason: &str) -> u8 {
        let refusal = vault_client::Refusal {
            reason: reason.to_owned(),
            metadata: std::collections::HashMap::new(),
            message: String::new(),
        };
        Failure::from(Error::Refused(Box::new(refusal))).code
    }

    #[test]
    fn scripts_can_tell_refusals_by_their_exit_codes() {
        for (reason, expected) in [
            ("UNFIT_SECRET", 2),
            ("NOT_FOUND", 3),
            ("NO_ROTATION", 3),
            ("BLOB_MISSING", 3),
            ("SECRET_VALUE_MISSING", 3),
            ("IN_USE", 5),
            ("LOCKED", 4),
            ("RATE_LIMITED", 4),
            ("MASTER_NEEDED", 4),
            ("SALT_UNUSABLE", 4),
            ("KEYRING_UNSUPPORTED", 4),
            ("ROTATION_RUNNING", 5),
            ("SQL_REFUSED", 4),
            ("UNAUTHENTICATED", 4),
            ("HOST_NOT_ADMITTED", 4),
            ("AUTH_ROLLED_BACK", 4),
            ("ADMIN_TOKEN_MISSING", 4),
            ("NO_DAEMON", 6),
            ("LOGIN_REFUSED", 4),
            ("ALREADY_PAIRED", 5),
            ("ORIGIN_UNFIT", 2),
            ("DATABASE_BUSY", 5),
            ("TRANSACTION_ENDED", 5),
            ("SCHEMA_NEWER", 5),
            ("SQL_INVALID", 1),
            ("CONSTRAINT_FAILED", 1),
            ("BUDGET_EXCEEDED", 1),
            ("ARCHIVE_DAMAGED", 1),
            ("A_LATER_ONE", 1),
        ] {
            assert_eq!(code(reason), expected, "{reason}");
        }
    }
}
