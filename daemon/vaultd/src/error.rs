//! The one place where failures become gRPC statuses. Detail stays in the log; programs get a
//! stable reason with what they need to act on.

use std::collections::HashMap;

use http::{HeaderMap, Response};
use tonic::{Code, Status, body::Body};
use tonic_types::{ErrorDetails, StatusExt as _};
use vault_proto::{MESSAGE_LIMIT, reason::DOMAIN, v1::Reason};
use vault_store::{
    KeySourceError, StoreError,
    databases::{Budget, SqlError},
};

use crate::key_error;

/// The status code of each reason.
fn code(reason: Reason) -> Code {
    match reason {
        Reason::Locked
        | Reason::KeyringLocked
        | Reason::KeyMissing
        | Reason::WrongKey
        | Reason::WrongPassphrase
        | Reason::RotationRunning
        | Reason::MasterNeeded
        | Reason::SaltUnusable
        | Reason::KeyringUnsupported
        | Reason::NoRotation
        | Reason::SchemaNewer
        | Reason::ConstraintFailed
        | Reason::BlobMissing
        | Reason::InUse
        | Reason::SecretValueMissing
        | Reason::PairingRequired
        | Reason::CeremonyEnded
        | Reason::OriginUnfit
        | Reason::AuthRolledBack
        | Reason::AdminTokenMissing
        | Reason::AuthorizationPending => Code::FailedPrecondition,
        Reason::KeyringUnavailable
        | Reason::KeyringTimeout
        | Reason::ShuttingDown
        | Reason::AuthUnavailable => Code::Unavailable,
        Reason::KeyringDenied
        | Reason::PermissionDenied
        | Reason::SqlRefused
        | Reason::HostNotAdmitted
        | Reason::CrossOrigin
        | Reason::PairingCodeWrong
        | Reason::LoginRefused => Code::PermissionDenied,
        Reason::Unauthenticated | Reason::PasskeyRefused => Code::Unauthenticated,
        Reason::Corrupt | Reason::PlaintextRefused => Code::DataLoss,
        Reason::TooLarge | Reason::RateLimited | Reason::BudgetExceeded => Code::ResourceExhausted,
        Reason::RevisionConflict | Reason::DatabaseBusy | Reason::TransactionEnded => Code::Aborted,
        Reason::RevisionGone => Code::OutOfRange,
        Reason::NotFound => Code::NotFound,
        Reason::InvalidId
        | Reason::InvalidArgument
        | Reason::ArchiveDamaged
        | Reason::SqlInvalid
        | Reason::UnfitSecret => Code::InvalidArgument,
        Reason::AlreadyExists | Reason::AlreadyPaired => Code::AlreadyExists,
        Reason::TimedOut => Code::DeadlineExceeded,
        Reason::Cancelled => Code::Cancelled,
        Reason::StorageFailed | Reason::Internal | Reason::Unspecified => Code::Internal,
    }
}

/// A failure with its reason, a text for people and metadata for programs.
pub fn refusal(reason: Reason, text: impl Into<String>, metadata: &[(&str, &str)]) -> Status {
    let metadata: HashMap<String, String> = metadata
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect();
    let details = ErrorDetails::with_error_info(reason.wire_name(), DOMAIN, metadata);
    Status::with_error_details(code(reason), text, details)
}

/// What a client sees of a store's failure.
pub fn store_error(error: &StoreError) -> Status {
    let text = error.to_string();
    let refuse =
        |text: String, metadata: &[(&str, &str)]| refusal(store_reason(error), text, metadata);
    match error {
        StoreError::Io {
            operation,
            path,
            message,
            ..
        } => {
            tracing::error!(operation, path, message, "storage failed");
            let text =
                format!("the disk failed to {operation}: {message}; nothing was acknowledged");
            refuse(text, &[("operation", operation)])
        }
        StoreError::Damaged { object, .. } => {
            let text = format!("{text}; `vaultctl doc rm` moves a damaged document aside");
            refuse(text, &[("object", object)])
        }
        StoreError::PlaintextRefused { object, .. } => refuse(text, &[("object", object)]),
        StoreError::NoSuchStore(store) => {
            let text = format!("{text}; `vaultctl store create` makes one");
            refuse(text, &[("store", store)])
        }
        StoreError::NoSuchDocument { store, id } => refuse(text, &[("store", store), ("id", id)]),
        StoreError::NoSuchBlob(reference) | StoreError::BlobMissing(reference) => {
            refuse(text, &[("ref", &reference.to_string())])
        }
        StoreError::NoSuchFile { store, name } => refuse(text, &[("store", store), ("id", name)]),
        StoreError::NoSuchSecret(name)
        | StoreError::SecretValueMissing(name)
        | StoreError::ObjectExists(name) => refuse(text, &[("id", name)]),
        StoreError::NameTaken { name, by, .. } => refuse(text, &[("id", name), ("by", by)]),
        StoreError::ChangedMeanwhile { store, name } => {
            refuse(text, &[("store", store), ("id", name)])
        }
        StoreError::InUse { reference, by } => {
            refuse(text, &[("ref", &reference.to_string()), ("by", by)])
        }
        StoreError::RevisionConflict { id, current, .. } => {
            refuse(text, &[("id", id), ("current", &current.to_string())])
        }
        StoreError::RevisionGone { retained } => {
            let text = format!("{text}; list the store, then watch from its newest revision");
            refuse(text, &[("retained", &retained.to_string())])
        }
        StoreError::TooLarge { size, limit } => too_large(*size, *limit),
        StoreError::NoSpace {
            operation, needed, ..
        } => refuse(
            text,
            &[("operation", operation), ("needed", &needed.to_string())],
        ),
        StoreError::StoreExists(store) | StoreError::SecondOfSecrets(store) => {
            refuse(text, &[("store", store)])
        }
        StoreError::Keyring(KeySourceError::Locked(_)) => {
            let text = format!("{text}; unlock the desktop's keyring, or run `vaultctl unlock`");
            refuse(text, &[])
        }
        StoreError::InvalidId(_) | StoreError::InvalidArgument(_) | StoreError::Keyring(_) => {
            refuse(text, &[])
        }
        StoreError::Sql(error) => sql_error(error),
        StoreError::Closed => {
            let text = "the vault was locked; `vaultctl unlock` opens it";
            refuse(text.to_owned(), &[])
        }
        StoreError::Collecting => refuse(text, &[]),
        StoreError::Random => {
            tracing::error!("the random source failed");
            refuse(text, &[])
        }
    }
}

/// The reason of a store's failure.
pub fn store_reason(error: &StoreError) -> Reason {
    match error {
        StoreError::Io { .. } | StoreError::NoSpace { .. } => Reason::StorageFailed,
        StoreError::Damaged { .. } | StoreError::Keyring(KeySourceError::Damaged(_)) => {
            Reason::Corrupt
        }
        StoreError::PlaintextRefused { .. } => Reason::PlaintextRefused,
        StoreError::NoSuchStore(_)
        | StoreError::NoSuchDocument { .. }
        | StoreError::NoSuchBlob(_)
        | StoreError::NoSuchFile { .. }
        | StoreError::NoSuchSecret(_) => Reason::NotFound,
        StoreError::SecretValueMissing(_) => Reason::SecretValueMissing,
        StoreError::Keyring(error) => key_error::key_source_reason(error),
        StoreError::BlobMissing(_) => Reason::BlobMissing,
        StoreError::InUse { .. } => Reason::InUse,
        StoreError::Collecting => Reason::DatabaseBusy,
        StoreError::RevisionConflict { .. } | StoreError::ChangedMeanwhile { .. } => {
            Reason::RevisionConflict
        }
        StoreError::RevisionGone { .. } => Reason::RevisionGone,
        StoreError::TooLarge { .. } => Reason::TooLarge,
        StoreError::InvalidId(_) => Reason::InvalidId,
        StoreError::InvalidArgument(_) => Reason::InvalidArgument,
        StoreError::StoreExists(_)
        | StoreError::SecondOfSecrets(_)
        | StoreError::ObjectExists(_)
        | StoreError::NameTaken { .. } => Reason::AlreadyExists,
        StoreError::Closed => Reason::Locked,
        StoreError::Sql(error) => sql_reason(error),
        StoreError::Random => Reason::Internal,
    }
}

fn sql_reason(error: &SqlError) -> Reason {
    match error {
        SqlError::Invalid { .. } => Reason::SqlInvalid,
        SqlError::Refused { .. } => Reason::SqlRefused,
        SqlError::Constraint(_) => Reason::ConstraintFailed,
        SqlError::OverBudget(_) => Reason::BudgetExceeded,
        SqlError::Busy => Reason::DatabaseBusy,
        SqlError::Cancelled => Reason::Cancelled,
        SqlError::OverDeadline => Reason::TimedOut,
        SqlError::TransactionEnded => Reason::TransactionEnded,
        SqlError::SchemaNewer { .. } => Reason::SchemaNewer,
    }
}

fn sql_error(error: &SqlError) -> Status {
    let refuse =
        |metadata: &[(&str, &str)]| refusal(sql_reason(error), error.to_string(), metadata);
    match error {
        SqlError::Invalid {
            offset: Some(offset),
            ..
        } => refuse(&[("offset", &offset.to_string())]),
        SqlError::Refused { action, .. } => refuse(&[("action", action)]),
        SqlError::OverBudget(Budget::Time) => refuse(&[("budget", "time")]),
        SqlError::OverBudget(Budget::Memory) => refuse(&[("budget", "memory")]),
        SqlError::OverBudget(Budget::Row(limit)) => {
            refuse(&[("budget", "row"), ("limit", &limit.to_string())])
        }
        SqlError::SchemaNewer { found, known } => refuse(&[
            ("version", &found.to_string()),
            ("known", &known.to_string()),
        ]),
        _ => refuse(&[]),
    }
}

/// A body over a bound.
pub fn too_large(size: u64, limit: u64) -> Status {
    let text = format!("{size} bytes are over the limit of {limit} bytes");
    refusal(
        Reason::TooLarge,
        text,
        &[("size", &size.to_string()), ("limit", &limit.to_string())],
    )
}

/// A message over the bound of every message.
pub fn over_message_limit() -> Status {
    let text =
        format!("the message is over the limit of {MESSAGE_LIMIT} bytes: stream larger bodies");
    refusal(
        Reason::TooLarge,
        text,
        &[("limit", &MESSAGE_LIMIT.to_string())],
    )
}

/// Whether a status is the transport's own word for a message over its limit.
fn is_transport_limit(code: Code, message: &str) -> bool {
    code == Code::OutOfRange && message.contains("message length too large")
}

/// A failure to receive a client's next message, with the transport's limit named as ours.
pub fn receive_error(status: Status) -> Status {
    if is_transport_limit(status.code(), status.message()) {
        over_message_limit()
    } else {
        status
    }
}

/// The same for a response that the transport made itself before a handler ran.
pub fn name_transport_limits(response: Response<Body>) -> Response<Body> {
    fn status(headers: &HeaderMap) -> Option<Status> {
        headers
            .contains_key("grpc-status")
            .then(|| Status::from_header_map(headers))
            .flatten()
    }
    match status(response.headers()) {
        Some(status) if is_transport_limit(status.code(), status.message()) => {
            over_message_limit().into_http()
        }
        _ => response,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reason_and_metadata_travel_in_the_details() {
        let error = StoreError::RevisionConflict {
            id: "a".into(),
            current: vault_store::Revision(7),
            expected: "revision 3".into(),
        };
        let status = store_error(&error);
        assert_eq!(status.code(), Code::Aborted);
        let details = status.get_error_details();
        let info = details.error_info().expect("an ErrorInfo");
        assert_eq!(
            (info.reason.as_str(), info.domain.as_str()),
            ("REVISION_CONFLICT", "vaultd")
        );
        assert_eq!(info.metadata.get("current").map(String::as_str), Some("7"));
    }

    #[test]
    fn the_transports_limit_arrives_as_ours() {
        let transport = Status::out_of_range("Error, decoded message length too large: found 9");
        let response = name_transport_limits(transport.clone().into_http());
        let named = Status::from_header_map(response.headers()).expect("a status");
        assert_eq!(
            named.get_error_details().error_info().expect("info").reason,
            "TOO_LARGE"
        );
        assert_eq!(receive_error(transport).code(), Code::ResourceExhausted);
        let other = Status::not_found("x").into_http();
        let kept = name_transport_limits(other);
        assert_eq!(
            Status::from_header_map(kept.headers())
                .expect("a status")
                .code(),
            Code::NotFound
        );
    }
}
