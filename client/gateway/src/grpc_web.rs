//! gRPC-Web under `/grpc`: every call of the contract, judged like any other request.
//!
//! The daemon judges a call once it has its first message, and each call that it has begun holds one
//! of the places of a connection. So nobody gets one before that message is here: whoever sends half
//! of it keeps nobody waiting.

mod answer;
mod beginning;

use std::sync::Arc;

use axum::{
    body::Body,
    extract::{Request, State},
    response::{IntoResponse as _, Response},
};
use http::{HeaderMap, Method, StatusCode, header};
use tokio::time::timeout;
use tonic_web::GrpcWebLayer;
use tower::{Layer as _, ServiceExt as _};
use vault_client::WebRequest;

use self::{
    answer::Kept,
    beginning::{Form, gathered},
};
use crate::{app::App, failure::Failure};

/// Package of the contract. Health and reflection are the daemon's own, for the socket.
const PACKAGE: &str = "/vault.v1.";

/// Calls that take more than one message. Of every other one, the whole body is its message.
pub const STREAMED: [&str; 9] = [
    "/vault.v1.Archives/Restore",
    "/vault.v1.Archives/Verify",
    "/vault.v1.Blobs/Upload",
    "/vault.v1.Databases/Import",
    "/vault.v1.Databases/Transact",
    "/vault.v1.Documents/Import",
    "/vault.v1.Documents/Upload",
    "/vault.v1.Files/Upload",
    "/vault.v1.Stores/Adopt",
];
/// The call that has no end of its own.
pub const WATCH: &str = "/vault.v1.Documents/Watch";

/// Passes a call on to the daemon. The address begins with the service: `/grpc` has been taken off.
pub async fn serve(State(app): State<App>, request: Request) -> Response {
    match passed_on(&app, request).await {
        Ok(response) => response,
        Err(failure) => failure.into_response(),
    }
}

async fn passed_on(app: &App, request: Request) -> Result<Response, Failure> {
    if !request.uri().path().starts_with(PACKAGE) {
        return Err(Failure::not_found());
    }
    if *request.method() != Method::POST {
        return Err(Failure::method_not_allowed());
    }
    let form = form(request.headers())?;
    let caller = request.extensions().get::<Arc<WebRequest>>().cloned();
    let caller = caller.ok_or_else(Failure::internal)?;
    let whole = !STREAMED.contains(&request.uri().path());
    let watch = request.uri().path() == WATCH;
    let (head, body) = request.into_parts();
    let body = gathered(app, body, form, whole);
    // For all of it: a byte now and then would keep it waiting for ever.
    let body = timeout(app.config.limits.body_timeout(), body).await;
    let request = Request::from_parts(head, body.map_err(|_| Failure::too_slow())??);
    let place = app.place_to_call()?;
    let watches = watch.then(|| app.place_to_watch()).transpose()?;
    let transport = app.daemon.for_call().await?.transport(&caller);
    let answered = GrpcWebLayer::new().layer(transport).oneshot(request).await;
    let response = answered.map_err(|error| Failure::no_daemon(&*error))?;
    Ok(Kept::around(response.map(Body::new), place, watches))
}

/// How messages are written, where they are translated. What is not would be passed on as it is.
fn form(headers: &HeaderMap) -> Result<Form, Failure> {
    let given = headers.get(header::CONTENT_TYPE);
    match given.map_or(&b""[..], |given| given.as_bytes()) {
        b"application/grpc-web" | b"application/grpc-web+proto" => Ok(Form::Binary),
        b"application/grpc-web-text" | b"application/grpc-web-text+proto" => Ok(Form::Text),
        _ => {
            let message = "the content type is application/grpc-web or application/grpc-web-text, \
                           each with +proto or without";
            let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
            Err(Failure::new(status, "UNSUPPORTED_MEDIA_TYPE", message))
        }
    }
}
