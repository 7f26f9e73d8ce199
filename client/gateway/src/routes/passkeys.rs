//! `/api/auth/passkeys`

use axum::{Json, routing::on};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use vault_client::Passkey;

use super::{Body, Method, Needs, Route};
use crate::{
    caller::Caller,
    extract::{Input, Parameters, Segments},
    failure::Failure,
    json::{maybe_time, time},
};

pub(super) const ROUTES: &[Route] = &[
    Route {
        method: Method::Get,
        path: "/api/auth/passkeys",
        needs: Needs::Credential,
        body: Body::Nothing,
        handler: |method| on(method, list),
    },
    Route {
        method: Method::Delete,
        path: "/api/auth/passkeys",
        needs: Needs::Credential,
        body: Body::Nothing,
        handler: |method| on(method, reset),
    },
    Route {
        method: Method::Patch,
        path: "/api/auth/passkeys/{id}",
        needs: Needs::Credential,
        body: Body::Small,
        handler: |method| on(method, rename),
    },
    Route {
        method: Method::Delete,
        path: "/api/auth/passkeys/{id}",
        needs: Needs::Credential,
        body: Body::Nothing,
        handler: |method| on(method, revoke),
    },
];

/// A passkey, as it is written in answers.
pub(super) fn written(passkey: &Passkey) -> Value {
    json!({
        "id": passkey.id,
        "label": passkey.label,
        "rp_id": passkey.rp_id,
        "created": time(passkey.created),
        "last_used": maybe_time(passkey.last_used),
    })
}

/// Which relying party; every one where it is not said.
#[derive(Deserialize)]
struct Which {
    rp_id: Option<String>,
}

async fn list(
    caller: Caller,
    Parameters(which): Parameters<Which>,
) -> Result<Json<Value>, Failure> {
    let passkeys = caller.client.passkeys(which.rp_id.as_deref()).await?;
    let passkeys: Vec<Value> = passkeys.iter().map(written).collect();
    Ok(Json(json!({ "passkeys": passkeys })))
}

async fn reset(
    caller: Caller,
    Parameters(which): Parameters<Which>,
) -> Result<Json<Value>, Failure> {
    let revoked = caller.client.reset_passkeys(which.rp_id.as_deref()).await?;
    Ok(Json(json!({ "revoked": revoked })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Renamed {
    label: String,
}

async fn rename(
    caller: Caller,
    Segments(id): Segments<String>,
    Input(renamed): Input<Renamed>,
) -> Result<Json<Value>, Failure> {
    let passkey = caller.client.rename_passkey(&id, &renamed.label).await?;
    Ok(Json(written(&passkey)))
}

async fn revoke(caller: Caller, Segments(id): Segments<String>) -> Result<StatusCode, Failure> {
    caller.client.revoke_passkey(&id).await?;
    Ok(StatusCode::NO_CONTENT)
}
