//! What a client sees of a failure of vault-auth.

use tonic::Status;
use tonic_types::StatusExt as _;
use vault_auth::AuthError;
use vault_proto::v1::Reason;
use vault_store::StoreError;

use crate::error::{refusal, store_error};

/// What a client sees of a failure. Detail stays in the log.
pub fn auth_error(error: &AuthError) -> Status {
    let text = error.to_string();
    let refuse = |metadata: &[(&str, &str)]| refusal(auth_reason(error), text.clone(), metadata);
    match error {
        AuthError::HostNotAdmitted(host) => refuse(&[("host", host)]),
        AuthError::PairingCodeWrong(tries) => refuse(&[("tries", &tries.to_string())]),
        AuthError::OriginUnfit {
            instead: Some(instead),
            ..
        } => refuse(&[("use", instead)]),
        AuthError::RolledBack { found, anchored } => {
            tracing::error!(found, anchored, "an older copy of the tables was put back");
            refuse(&[
                ("found", &found.to_string()),
                ("anchored", &anchored.to_string()),
            ])
        }
        AuthError::AnchorLost(found) => {
            tracing::error!(found, "the keyring has lost the generation of the tables");
            refuse(&[("found", &found.to_string())])
        }
        AuthError::PasskeyRefused(detail) => {
            tracing::info!(detail, "a passkey's answer did not verify");
            refuse(&[])
        }
        AuthError::Anchor(detail) => {
            tracing::error!(%detail, "the keyring did not keep the generation of the tables");
            refuse(&[])
        }
        AuthError::Store(error @ StoreError::Closed) => store_error(error),
        AuthError::Store(error) => {
            tracing::error!(%error, "the tables of passkeys, sessions and tokens failed");
            let text = "the tables of passkeys, sessions and tokens cannot be used; `vaultctl \
                        doctor` tells more";
            refusal(Reason::AuthUnavailable, text, &[])
        }
        AuthError::AuthorizationPending(interval) => refuse(&[("interval", &interval.to_string())]),
        AuthError::RateLimited(seconds) => refuse(&[("retry_after_seconds", &seconds.to_string())]),
        AuthError::NotFound(what) => refuse(&[("what", what)]),
        AuthError::Unauthenticated
        | AuthError::TokenMalformed
        | AuthError::Denied(_)
        | AuthError::CrossOrigin
        | AuthError::PairingRequired
        | AuthError::AlreadyPaired
        | AuthError::CeremonyEnded
        | AuthError::OriginUnfit { .. }
        | AuthError::AdminTokenMissing
        | AuthError::LoginRefused
        | AuthError::Invalid(_) => refuse(&[]),
    }
}

/// The reason of a failure.
fn auth_reason(error: &AuthError) -> Reason {
    match error {
        AuthError::Unauthenticated | AuthError::TokenMalformed => Reason::Unauthenticated,
        AuthError::Denied(_) => Reason::PermissionDenied,
        AuthError::HostNotAdmitted(_) => Reason::HostNotAdmitted,
        AuthError::CrossOrigin => Reason::CrossOrigin,
        AuthError::PairingRequired => Reason::PairingRequired,
        AuthError::PairingCodeWrong(_) => Reason::PairingCodeWrong,
        AuthError::AlreadyPaired => Reason::AlreadyPaired,
        AuthError::CeremonyEnded => Reason::CeremonyEnded,
        AuthError::PasskeyRefused(_) => Reason::PasskeyRefused,
        AuthError::OriginUnfit { .. } => Reason::OriginUnfit,
        AuthError::RolledBack { .. } | AuthError::AnchorLost(_) => Reason::AuthRolledBack,
        AuthError::Anchor(_) | AuthError::Store(_) => Reason::AuthUnavailable,
        AuthError::AdminTokenMissing => Reason::AdminTokenMissing,
        AuthError::AuthorizationPending(_) => Reason::AuthorizationPending,
        AuthError::LoginRefused => Reason::LoginRefused,
        AuthError::RateLimited(_) => Reason::RateLimited,
        AuthError::NotFound(_) => Reason::NotFound,
        AuthError::Invalid(_) => Reason::InvalidArgument,
    }
}

/// The same for somebody who was not judged: the reason, and nothing of the machine's own affairs.
pub fn for_strangers(status: &Status) -> Status {
    let text = "the vault is closed, or who may use it cannot be read: `vaultctl status` and \
                `vaultctl auth status` tell more, on its own machine";
    Status::with_error_details(status.code(), text, status.get_error_details())
}
