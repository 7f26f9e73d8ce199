//! How programs get a token: by a code that a person types in, or by a listener on this machine.

use std::time::SystemTime;

use axum::{Json, routing::on};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use vault_client::{Authorization, LoginGrant, Secret};

use super::{Body, Method, Needs, Route, tokens};
use crate::{
    caller::Caller,
    extract::{Input, Segments},
    failure::Failure,
    json::{self, WrittenScope, time},
};

pub(super) const ROUTES: &[Route] = &[
    Route {
        method: Method::Post,
        path: "/api/auth/device",
        needs: Needs::Nothing,
        body: Body::Small,
        handler: |method| on(method, begin_device),
    },
    Route {
        method: Method::Get,
        path: "/api/auth/device/{code}",
        needs: Needs::Credential,
        body: Body::Nothing,
        handler: |method| on(method, describe),
    },
    Route {
        method: Method::Post,
        path: "/api/auth/device/{code}",
        needs: Needs::Credential,
        body: Body::Small,
        handler: |method| on(method, decide),
    },
    Route {
        method: Method::Post,
        path: "/api/auth/authorize",
        needs: Needs::Credential,
        body: Body::Small,
        handler: |method| on(method, authorize),
    },
    Route {
        method: Method::Post,
        path: "/api/auth/exchange",
        needs: Needs::Nothing,
        body: Body::Small,
        handler: |method| on(method, exchange),
    },
];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DeviceAsked {
    label: String,
    scopes: Vec<WrittenScope>,
}

async fn begin_device(
    caller: Caller,
    Input(asked): Input<DeviceAsked>,
) -> Result<Json<Value>, Failure> {
    let scopes = json::read_scopes(asked.scopes);
    let login = caller
        .client
        .begin_device_login(&asked.label, &scopes)
        .await?;
    let (scheme, host) = (caller.request.scheme, &caller.request.host);
    let left = login.expires.duration_since(SystemTime::now());
    Ok(Json(json!({
        "device_code": json::text(&login.device_code)?,
        "user_code": login.user_code,
        "verification_uri": format!("{scheme}://{host}/device"),
        "expires": time(login.expires),
        "expires_in": left.unwrap_or_default().as_secs(),
        "interval": login.interval.as_secs(),
    })))
}

async fn describe(
    caller: Caller,
    Segments(code): Segments<String>,
) -> Result<Json<Value>, Failure> {
    let login = caller.client.describe_login(&code).await?;
    Ok(Json(json!({
        "label": login.label,
        "scopes": json::scopes(&login.scopes),
        "address": login.address,
        "begun": time(login.begun),
    })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Decision {
    approve: bool,
}

async fn decide(
    caller: Caller,
    Segments(code): Segments<String>,
    Input(decision): Input<Decision>,
) -> Result<StatusCode, Failure> {
    caller.client.decide_login(&code, decision.approve).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AuthorizationAsked {
    label: String,
    scopes: Vec<WrittenScope>,
    code_challenge: String,
    redirect_uri: String,
}

async fn authorize(
    caller: Caller,
    Input(asked): Input<AuthorizationAsked>,
) -> Result<Json<Value>, Failure> {
    let login = Authorization {
        label: asked.label,
        scopes: json::read_scopes(asked.scopes),
        code_challenge: asked.code_challenge,
        redirect_uri: asked.redirect_uri,
    };
    let code = caller.client.authorize_login(&login).await?;
    Ok(Json(json!({ "code": json::text(&code)? })))
}

/// A code for a token; the names are those of RFC 6749 and RFC 8628.
#[derive(Deserialize)]
#[serde(untagged)]
enum Grant {
    Device {
        device_code: String,
    },
    Authorization {
        code: String,
        code_verifier: String,
        redirect_uri: String,
    },
}

async fn exchange(caller: Caller, Input(grant): Input<Grant>) -> Result<Json<Value>, Failure> {
    let secret = |text: String| Secret::new(text.into_bytes());
    let grant = match grant {
        Grant::Device { device_code } => LoginGrant::Device {
            device_code: secret(device_code),
        },
        Grant::Authorization {
            code,
            code_verifier,
            redirect_uri,
        } => LoginGrant::Authorization {
            code: secret(code),
            verifier: secret(code_verifier),
            redirect_uri,
        },
    };
    let (token, secret) = caller.client.exchange_login(&grant).await?;
    Ok(Json(tokens::written_once(&token, &secret)?))
}
