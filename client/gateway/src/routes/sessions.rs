//! `/api/auth/sessions`

use axum::{Json, routing::on};
use http::StatusCode;
use serde_json::{Value, json};
use vault_client::Session;

use super::{Body, Method, Needs, Route};
use crate::{caller::Caller, extract::Segments, failure::Failure, json::time};

pub(super) const ROUTES: &[Route] = &[
    Route {
        method: Method::Get,
        path: "/api/auth/sessions",
        needs: Needs::Credential,
        body: Body::Nothing,
        handler: |method| on(method, list),
    },
    Route {
        method: Method::Delete,
        path: "/api/auth/sessions",
        needs: Needs::Credential,
        body: Body::Nothing,
        handler: |method| on(method, reset),
    },
    Route {
        method: Method::Delete,
        path: "/api/auth/sessions/{id}",
        needs: Needs::Credential,
        body: Body::Nothing,
        handler: |method| on(method, revoke),
    },
];

fn written(session: &Session) -> Value {
    json!({
        "id": session.id,
        "rp_id": session.rp_id,
        "passkey_id": session.passkey_id,
        "label": session.label,
        "address": session.address,
        "created": time(session.created),
        "last_used": time(session.last_used),
        "expires": time(session.expires),
        "current": session.current,
    })
}

async fn list(caller: Caller) -> Result<Json<Value>, Failure> {
    let sessions = caller.client.sessions().await?;
    let sessions: Vec<Value> = sessions.iter().map(written).collect();
    Ok(Json(json!({ "sessions": sessions })))
}

async fn reset(caller: Caller) -> Result<Json<Value>, Failure> {
    let ended = caller.client.reset_sessions().await?;
    Ok(Json(json!({ "ended": ended })))
}

async fn revoke(caller: Caller, Segments(id): Segments<String>) -> Result<StatusCode, Failure> {
    caller.client.revoke_session(&id).await?;
    Ok(StatusCode::NO_CONTENT)
}
