//! The stable names of failures, as they stand in `google.rpc.ErrorInfo`.

use tonic::Code;

use crate::v1::Reason;

/// The `domain` of every `google.rpc.ErrorInfo` that vaultd sends.
pub const DOMAIN: &str = "vaultd";

const PREFIX: &str = "REASON_";

impl Reason {
    /// The name on the wire: the enum's without its prefix, such as `LOCKED`.
    pub fn wire_name(self) -> &'static str {
        let name = self.as_str_name();
        name.strip_prefix(PREFIX).unwrap_or(name)
    }

    /// The reason of a name read from the wire; `None` for one this build does not know.
    pub fn from_wire_name(name: &str) -> Option<Self> {
        Self::from_str_name(&format!("{PREFIX}{name}"))
    }

    /// The gRPC status code that it travels under: what programs go by that know no reasons.
    pub fn code(self) -> Code {
        match self {
            Self::Locked
            | Self::KeyringLocked
            | Self::KeyMissing
            | Self::WrongKey
            | Self::WrongPassphrase
            | Self::RotationRunning
            | Self::MasterNeeded
            | Self::SaltUnusable
            | Self::KeyringUnsupported
            | Self::NoRotation
            | Self::SchemaNewer
            | Self::ConstraintFailed
            | Self::BlobMissing
            | Self::InUse
            | Self::SecretValueMissing
            | Self::PairingRequired
            | Self::CeremonyEnded
            | Self::OriginUnfit
            | Self::AuthRolledBack
            | Self::AdminTokenMissing
            | Self::AuthorizationPending => Code::FailedPrecondition,
            Self::KeyringUnavailable
            | Self::KeyringTimeout
            | Self::ShuttingDown
            | Self::AuthUnavailable
            | Self::AuditUnavailable => Code::Unavailable,
            Self::KeyringDenied
            | Self::PermissionDenied
            | Self::SqlRefused
            | Self::HostNotAdmitted
            | Self::CrossOrigin
            | Self::PairingCodeWrong
            | Self::LoginRefused => Code::PermissionDenied,
            Self::Unauthenticated | Self::PasskeyRefused => Code::Unauthenticated,
            Self::Corrupt | Self::PlaintextRefused => Code::DataLoss,
            Self::TooLarge | Self::RateLimited | Self::BudgetExceeded => Code::ResourceExhausted,
            Self::RevisionConflict | Self::DatabaseBusy | Self::TransactionEnded => Code::Aborted,
            Self::RevisionGone => Code::OutOfRange,
            Self::UnknownMethod => Code::Unimplemented,
            Self::NotFound => Code::NotFound,
            Self::InvalidId
            | Self::InvalidArgument
            | Self::ArchiveDamaged
            | Self::SqlInvalid
            | Self::UnfitSecret => Code::InvalidArgument,
            Self::AlreadyExists | Self::AlreadyPaired => Code::AlreadyExists,
            Self::TimedOut => Code::DeadlineExceeded,
            Self::Cancelled => Code::Cancelled,
            Self::StorageFailed | Self::Internal | Self::Unspecified => Code::Internal,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_survives_the_wire() {
        let known = (1..).map_while(|number| Reason::try_from(number).ok());
        assert!(known.clone().count() > 50, "numbers are dense");
        for reason in known {
            assert_eq!(Reason::from_wire_name(reason.wire_name()), Some(reason));
            assert!(!reason.wire_name().starts_with(PREFIX));
        }
        assert_eq!(Reason::from_wire_name("NO_SUCH_REASON"), None);
    }
}
