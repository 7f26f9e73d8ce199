//! What a request that fails is answered: a status, and JSON that says why.

use std::collections::BTreeMap;

use axum::{
    Json,
    extract::rejection::{BytesRejection, JsonRejection, PathRejection, QueryRejection},
    response::{IntoResponse, Response},
};
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;
use vault_client::Error;

use crate::bodies::TooSlow;

/// Why a request failed. As JSON: `{"error":{"reason":"…","message":"…","metadata":{…}}}`.
#[derive(Clone, Debug)]
pub struct Failure {
    status: StatusCode,
    error: Told,
}

/// What the body says.
#[derive(Clone, Debug, Serialize)]
struct Told {
    /// Stable, for programs: a reason of the daemon's, or one of the gateway's own.
    reason: String,
    /// For people.
    message: String,
    metadata: BTreeMap<String, String>,
}

/// The status of each reason of the daemon's. One that is not here is a defect, and 500. So are some on
/// purpose, that no request and no wait can mend: `CORRUPT`, `PLAINTEXT_REFUSED`, `STORAGE_FAILED`.
const STATUSES: &[(StatusCode, &[&str])] = &[
    (
        StatusCode::UNAUTHORIZED,
        &["UNAUTHENTICATED", "PASSKEY_REFUSED", "PAIRING_REQUIRED"],
    ),
    (
        StatusCode::FORBIDDEN,
        &[
            "CROSS_ORIGIN",
            "HOST_NOT_ADMITTED",
            "LOGIN_REFUSED",
            "PAIRING_CODE_WRONG",
            "PERMISSION_DENIED",
            "SQL_REFUSED",
        ],
    ),
    (
        StatusCode::NOT_FOUND,
        &["NOT_FOUND", "SECRET_VALUE_MISSING"],
    ),
    (
        StatusCode::CONFLICT,
        &[
            "ADMIN_TOKEN_MISSING",
            "ALREADY_EXISTS",
            "ALREADY_PAIRED",
            "BLOB_MISSING",
            "CONSTRAINT_FAILED",
            "IN_USE",
            "NO_ROTATION",
            "REVISION_CONFLICT",
            "ROTATION_RUNNING",
            "SCHEMA_NEWER",
            "TRANSACTION_ENDED",
        ],
    ),
    (StatusCode::GONE, &["REVISION_GONE"]),
    (StatusCode::PAYLOAD_TOO_LARGE, &["TOO_LARGE"]),
    (StatusCode::TOO_MANY_REQUESTS, &["RATE_LIMITED"]),
    (
        StatusCode::BAD_REQUEST,
        &[
            "ARCHIVE_DAMAGED",
            // RFC 8628, section 3.5: a program that asks too soon gets a 400.
            "AUTHORIZATION_PENDING",
            "BUDGET_EXCEEDED",
            "CANCELLED",
            "CEREMONY_ENDED",
            "INVALID_ARGUMENT",
            "INVALID_ID",
            "KEYRING_UNSUPPORTED",
            "MASTER_NEEDED",
            "ORIGIN_UNFIT",
            "SALT_UNUSABLE",
            "SQL_INVALID",
            "UNFIT_SECRET",
            "WRONG_PASSPHRASE",
        ],
    ),
    (
        StatusCode::SERVICE_UNAVAILABLE,
        &[
            "AUTH_ROLLED_BACK",
            "AUTH_UNAVAILABLE",
            "DATABASE_BUSY",
            "KEYRING_DENIED",
            "KEYRING_LOCKED",
            "KEYRING_TIMEOUT",
            "KEYRING_UNAVAILABLE",
            "KEY_MISSING",
            "LOCKED",
            "SHUTTING_DOWN",
            "WRONG_KEY",
        ],
    ),
    (StatusCode::GATEWAY_TIMEOUT, &["TIMED_OUT"]),
    (StatusCode::NOT_IMPLEMENTED, &["UNKNOWN_METHOD"]),
];

fn status_of(reason: &str) -> StatusCode {
    let row = STATUSES.iter().find(|row| row.1.contains(&reason));
    row.map_or(StatusCode::INTERNAL_SERVER_ERROR, |row| row.0)
}

impl Failure {
    /// A failure of the gateway's own.
    pub fn new(status: StatusCode, reason: &str, message: impl Into<String>) -> Self {
        let error = Told {
            reason: reason.to_owned(),
            message: message.into(),
            metadata: BTreeMap::new(),
        };
        Self { status, error }
    }

    /// An argument is not acceptable; the text says which.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "INVALID_ARGUMENT", message)
    }

    /// A body over its limit, in bytes.
    pub fn too_large(limit: u64) -> Self {
        let message = format!("the body is over the limit of {limit} bytes");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "TOO_LARGE", message).with("limit", limit)
    }

    /// There is nothing at this address.
    pub fn not_found() -> Self {
        let message = "there is nothing at this address: /api/openapi.json lists what there is";
        Self::new(StatusCode::NOT_FOUND, "NOT_FOUND", message)
    }

    /// This is at this address, and not to be had by that method.
    pub fn method_not_allowed() -> Self {
        let message = "the address is not served by this method: `Allow` lists those that are";
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "METHOD_NOT_ALLOWED",
            message,
        )
    }

    /// The daemon does not answer. What the transport says of it names paths of this machine: that
    /// is for its log alone.
    pub fn no_daemon(error: &(dyn std::error::Error + 'static)) -> Self {
        tracing::error!(error, "the daemon does not answer");
        let message =
            "the vault's daemon does not answer: `vaultctl status` on its machine says why";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "NO_DAEMON", message)
    }

    /// A defect of the gateway.
    pub fn internal() -> Self {
        let message = "the gateway failed; its log has the detail";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL", message)
    }

    /// Says more, for programs.
    #[must_use]
    #[expect(
        clippy::needless_pass_by_value,
        reason = "numbers and texts alike are given by value"
    )]
    pub fn with(mut self, key: &str, value: impl ToString) -> Self {
        self.error
            .metadata
            .insert(key.to_owned(), value.to_string());
        self
    }

    /// The same where the request had `If-Match` or `If-None-Match`: a conflict is then 412.
    #[must_use]
    pub fn of_precondition(mut self) -> Self {
        if ["REVISION_CONFLICT", "ALREADY_EXISTS"].contains(&self.reason()) {
            self.status = StatusCode::PRECONDITION_FAILED;
        }
        self
    }

    /// What the body of the answer says.
    pub fn told(&self) -> impl Serialize + '_ {
        #[derive(Serialize)]
        struct Body<'a> {
            error: &'a Told,
        }
        Body { error: &self.error }
    }

    /// Why, for programs.
    pub fn reason(&self) -> &str {
        &self.error.reason
    }

    /// The status of the answer.
    pub fn status(&self) -> StatusCode {
        self.status
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            Error::Refused(refusal) if !refusal.reason.is_empty() => Self {
                status: status_of(&refusal.reason),
                error: Told {
                    reason: refusal.reason,
                    message: refusal.message,
                    metadata: refusal.metadata.into_iter().collect(),
                },
            },
            error => Self::no_daemon(&error),
        }
    }
}

impl Failure {
    /// A body that ended before it was complete.
    pub fn of_body(error: &(dyn std::error::Error + 'static)) -> Self {
        if came_too_slowly(error) {
            return Self::too_slow();
        }
        let message = "the body broke off before it was complete: nothing was kept";
        Self::new(StatusCode::BAD_REQUEST, "CANCELLED", message)
    }

    /// A body that did not come in time.
    pub fn too_slow() -> Self {
        let message = "the body did not come in time";
        Self::new(StatusCode::REQUEST_TIMEOUT, "TIMED_OUT", message)
    }
}

/// Whether what lies at the bottom of an error is that.
fn came_too_slowly(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut causes = std::iter::successors(Some(error), |error| error.source());
    causes.any(<dyn std::error::Error + 'static>::is::<TooSlow>)
}

/// What axum says of a request that it cannot take apart.
macro_rules! from_rejection {
    ($($rejection:ty),*) => {$(
        impl From<$rejection> for Failure {
            fn from(rejection: $rejection) -> Self {
                if came_too_slowly(&rejection) {
                    return Self::too_slow();
                }
                let message = rejection.body_text();
                match rejection.status() {
                    StatusCode::PAYLOAD_TOO_LARGE => {
                        Self::new(rejection.status(), "TOO_LARGE", message)
                    }
                    StatusCode::UNSUPPORTED_MEDIA_TYPE => {
                        Self::new(rejection.status(), "UNSUPPORTED_MEDIA_TYPE", message)
                    }
                    _ => Self::invalid(message),
                }
            }
        }
    )*};
}
from_rejection!(BytesRejection, JsonRejection, PathRejection, QueryRejection);

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let wait = ["retry_after_seconds", "interval"]
            .iter()
            .find_map(|key| self.error.metadata.get(*key)?.parse::<u32>().ok());
        let status = self.status;
        let mut response = (status, Json(self.told())).into_response();
        let headers = response.headers_mut();
        if let Some(wait) = wait {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(wait));
        }
        if status == StatusCode::UNAUTHORIZED {
            let bearer = HeaderValue::from_static("Bearer realm=\"vaultd\"");
            headers.insert(header::WWW_AUTHENTICATE, bearer);
        }
        response
    }
}
