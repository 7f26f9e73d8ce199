//! `/api/auth/token`

use std::time::Duration;

use axum::{Json, routing::on};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use vault_client::{Secret, Token};

use super::{Body, Method, Needs, Route};
use crate::{
    caller::Caller,
    extract::{Input, Segments},
    failure::Failure,
    json::{self, WrittenScope, maybe_time, time},
};

pub(super) const ROUTES: &[Route] = &[
    Route {
        method: Method::Get,
        path: "/api/auth/token",
        needs: Needs::Credential,
        body: Body::Nothing,
        handler: |method| on(method, list),
    },
    Route {
        method: Method::Post,
        path: "/api/auth/token",
        needs: Needs::Credential,
        body: Body::Small,
        handler: |method| on(method, create),
    },
    Route {
        method: Method::Delete,
        path: "/api/auth/token",
        needs: Needs::Credential,
        body: Body::Nothing,
        handler: |method| on(method, reset),
    },
    Route {
        method: Method::Delete,
        path: "/api/auth/token/{id}",
        needs: Needs::Credential,
        body: Body::Nothing,
        handler: |method| on(method, revoke),
    },
];

fn written(token: &Token) -> Value {
    json!({
        "id": token.id,
        "label": token.label,
        "scopes": json::scopes(&token.scopes),
        "created": time(token.created),
        "last_used": maybe_time(token.last_used),
        "expires": maybe_time(token.expires),
        "expired": token.expired,
    })
}

/// A token that was just made: the one place where its secret stands.
pub(super) fn written_once(token: &Token, secret: &Secret) -> Result<Value, Failure> {
    Ok(json!({ "token": written(token), "secret": json::text(secret)? }))
}

async fn list(caller: Caller) -> Result<Json<Value>, Failure> {
    let tokens = caller.client.tokens().await?;
    let tokens: Vec<Value> = tokens.iter().map(written).collect();
    Ok(Json(json!({ "tokens": tokens })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewToken {
    label: String,
    scopes: Vec<WrittenScope>,
    /// For ever where it is not given.
    lifetime_seconds: Option<u64>,
}

async fn create(
    caller: Caller,
    Input(asked): Input<NewToken>,
) -> Result<(StatusCode, Json<Value>), Failure> {
    let scopes = json::read_scopes(asked.scopes);
    let lifetime = asked.lifetime_seconds.map(Duration::from_secs);
    let created = caller.client.create_token(&asked.label, &scopes, lifetime);
    let (token, secret) = created.await?;
    Ok((StatusCode::CREATED, Json(written_once(&token, &secret)?)))
}

async fn reset(caller: Caller) -> Result<Json<Value>, Failure> {
    let revoked = caller.client.reset_tokens().await?;
    Ok(Json(json!({ "revoked": revoked })))
}

async fn revoke(caller: Caller, Segments(id): Segments<String>) -> Result<StatusCode, Failure> {
    caller.client.revoke_token(&id).await?;
    Ok(StatusCode::NO_CONTENT)
}
