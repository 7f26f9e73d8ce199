//! What a gateway answers, and what something else answers in its place.

use std::collections::HashMap;

use http::{
    HeaderMap, HeaderName, Response, StatusCode,
    header::{CONTENT_TYPE, LOCATION},
};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use serde::Deserialize;
use tonic::{Code, Status, codegen::StdError};
use tonic_types::{ErrorDetails, StatusExt as _};
use vault_proto::reason::DOMAIN;

use crate::BaseUrl;

const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");

/// Largest text of a refusal, in bytes.
const LIMIT: usize = 64 << 10;

/// Lets a gRPC-Web answer through, and says what else came.
pub(super) async fn check(
    base: &BaseUrl,
    answer: Response<Incoming>,
) -> Result<Response<Incoming>, StdError> {
    let status = answer.status();
    let fields = answer.headers();
    if fields.contains_key(GRPC_STATUS) || (status == StatusCode::OK && is_grpc(fields)) {
        return Ok(answer);
    }
    if status.is_redirection() {
        let to = fields.get(LOCATION).and_then(|to| to.to_str().ok());
        let to = to.unwrap_or("another address");
        let text = format!("{base} sends on to {to}: give the address of the gateway itself");
        return Err(Status::failed_precondition(text).into());
    }
    let unknown = format!("{base} answers {status}, as no gateway of a vault does");
    let refused = refusal(status, answer.into_body()).await;
    Err(refused
        .unwrap_or_else(|| Status::unavailable(unknown))
        .into())
}

fn is_grpc(fields: &HeaderMap) -> bool {
    let kind = fields.get(CONTENT_TYPE);
    kind.is_some_and(|kind| kind.as_bytes().starts_with(b"application/grpc"))
}

/// What the gateway says of its own accord, such as that too many ask.
#[derive(Deserialize)]
struct Refused {
    error: Said,
}

#[derive(Deserialize)]
struct Said {
    reason: String,
    message: String,
    #[serde(default)]
    metadata: HashMap<String, String>,
}

async fn refusal(status: StatusCode, body: Incoming) -> Option<Status> {
    let collected = Limited::new(body, LIMIT).collect().await.ok()?;
    let Refused { error } = serde_json::from_slice(&collected.to_bytes()).ok()?;
    let code = match status {
        StatusCode::UNAUTHORIZED => Code::Unauthenticated,
        StatusCode::FORBIDDEN => Code::PermissionDenied,
        StatusCode::NOT_FOUND => Code::NotFound,
        StatusCode::TOO_MANY_REQUESTS | StatusCode::PAYLOAD_TOO_LARGE => Code::ResourceExhausted,
        _ => Code::Unavailable,
    };
    let details = ErrorDetails::with_error_info(error.reason, DOMAIN, error.metadata);
    Some(Status::with_error_details(code, error.message, details))
}
