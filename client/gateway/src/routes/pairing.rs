//! `/api/auth/pair`, and the hosts that are admitted.

use axum::{Json, routing::on};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Body, Method, Needs, Route};
use crate::{
    caller::Caller,
    extract::{Input, Segments},
    failure::Failure,
    json::{self, time},
};

pub(super) const ROUTES: &[Route] = &[
    Route {
        method: Method::Post,
        path: "/api/auth/pair",
        needs: Needs::Credential,
        body: Body::Small,
        handler: |method| on(method, create),
    },
    Route {
        method: Method::Delete,
        path: "/api/auth/pair",
        needs: Needs::Credential,
        body: Body::Nothing,
        handler: |method| on(method, cancel),
    },
    Route {
        method: Method::Get,
        path: "/api/auth/hosts",
        needs: Needs::Credential,
        body: Body::Nothing,
        handler: |method| on(method, list_hosts),
    },
    Route {
        method: Method::Post,
        path: "/api/auth/hosts",
        needs: Needs::Credential,
        body: Body::Small,
        handler: |method| on(method, add_host),
    },
    Route {
        method: Method::Delete,
        path: "/api/auth/hosts/{host}",
        needs: Needs::Credential,
        body: Body::Nothing,
        handler: |method| on(method, remove_host),
    },
];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewCode {
    host: Option<String>,
}

async fn create(
    caller: Caller,
    Input(asked): Input<NewCode>,
) -> Result<(StatusCode, Json<Value>), Failure> {
    if asked.host.as_deref() == Some("") {
        let text = "`host` is empty: leave it out for a code of the hosts that are admitted";
        return Err(Failure::invalid(text));
    }
    let pairing = caller.client.create_pairing(asked.host.as_deref()).await?;
    let answer = json!({
        "code": json::text(&pairing.code)?,
        "expires": time(pairing.expires),
        "tries": pairing.tries,
    });
    Ok((StatusCode::CREATED, Json(answer)))
}

async fn cancel(caller: Caller) -> Result<StatusCode, Failure> {
    caller.client.cancel_pairing().await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn list_hosts(caller: Caller) -> Result<Json<Value>, Failure> {
    let hosts = caller.client.hosts().await?;
    Ok(Json(json!({ "hosts": hosts })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewHost {
    host: String,
}

async fn add_host(caller: Caller, Input(asked): Input<NewHost>) -> Result<StatusCode, Failure> {
    caller.client.add_host(&asked.host).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn remove_host(
    caller: Caller,
    Segments(host): Segments<String>,
) -> Result<StatusCode, Failure> {
    caller.client.remove_host(&host).await?;
    Ok(StatusCode::NO_CONTENT)
}
