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

/// A failure with its reason, a text for people and metadata for programs.
pub fn refusal(reason: Reason, text: impl Into<String>, metadata: &[(&str, &str)]) -> Status {
    let metadata: HashMap<String, String> = metadata
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect();
    let details = ErrorDetails::with_error_info(reason.wire_name(), DOMAIN, metadata);
    Status::with_error_details(reason.code(), text, details)
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

/// What the transport's own word about a client's message means: that it is over the limit, or no message
/// of its method, such as one with a string that is not UTF-8.
fn about_the_message(code: Code, text: &str) -> Option<Status> {
    match code {
        Code::OutOfRange if text.contains("message length too large") => Some(over_message_limit()),
        Code::Internal => {
            let detail = text.strip_prefix("failed to decode Protobuf message: ")?;
            let text = format!("the message is malformed: {detail}");
            Some(refusal(Reason::InvalidArgument, text, &[]))
        }
        _ => None,
    }
}

/// A failure to receive a client's next message, with a reason where the transport gives none.
pub fn receive_error(status: Status) -> Status {
    about_the_message(status.code(), status.message()).unwrap_or(status)
}

/// Why a call failed, of one that failed before it answered anything.
pub fn failure(headers: &HeaderMap) -> Option<Status> {
    headers
        .contains_key("grpc-status")
        .then(|| Status::from_header_map(headers))
        .flatten()
}

/// The stable reason of a failure; the name of its code where the transport failed.
pub fn reason(status: &Status) -> String {
    let details = status.get_error_details();
    match details.error_info() {
        Some(info) => info.reason.clone(),
        None => format!("{:?}", status.code()),
    }
}

/// The same for a response that the transport made itself before a handler ran.
pub fn name_transport_failures(response: Response<Body>) -> Response<Body> {
    let named = failure(response.headers())
        .and_then(|status| about_the_message(status.code(), status.message()));
    named.map_or(response, Status::into_http)
}

#[cfg(test)]
mod tests {
    use prost::Message as _;
    use vault_proto::v1;

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
    fn what_the_transport_finds_wrong_with_a_message_has_a_reason() {
        let transport = Status::out_of_range("Error, decoded message length too large: found 9");
        let response = name_transport_failures(transport.clone().into_http());
        let named = Status::from_header_map(response.headers()).expect("a status");
        assert_eq!(
            named.get_error_details().error_info().expect("info").reason,
            "TOO_LARGE"
        );
        assert_eq!(receive_error(transport).code(), Code::ResourceExhausted);
        let malformed = v1::GetDocumentRequest::decode(&b"\x0a\x01\xff"[..]).expect_err("no UTF-8");
        let malformed = receive_error(Status::internal(malformed.to_string()));
        assert_eq!(malformed.code(), Code::InvalidArgument);
        assert!(malformed.message().contains("UTF-8"), "{malformed}");
        let defect = receive_error(Status::internal("a defect"));
        assert_eq!(defect.code(), Code::Internal);
        let other = Status::not_found("x").into_http();
        let kept = name_transport_failures(other);
        assert_eq!(
            Status::from_header_map(kept.headers())
                .expect("a status")
                .code(),
            Code::NotFound
        );
    }
}
