//! `/api/auth`: what the caller is, signing in and out, the rules.

use axum::{
    Json,
    response::{IntoResponse as _, Response},
    routing::on,
};
use http::{StatusCode, header, uri::Scheme};
use serde::Deserialize;
use serde_json::{Value, json, value::RawValue};
use vault_client::{
    ActivityEvent, AuthSettings, AuthSettingsChange, AuthStatus, Challenge, FirstPair, NewSession,
    Secret,
};

use super::{Body, Method, Needs, Route, passkeys};
use crate::{
    caller::Caller,
    cookie,
    extract::{Input, Parameters},
    failure::Failure,
    json::{self, time},
};

pub(super) const ROUTES: &[Route] = &[
    Route {
        method: Method::Get,
        path: "/api/auth/status",
        needs: Needs::Nothing,
        body: Body::Nothing,
        handler: |method| on(method, status),
    },
    Route {
        method: Method::Post,
        path: "/api/auth/register/begin",
        needs: Needs::Nothing,
        body: Body::Small,
        handler: |method| on(method, begin_registration),
    },
    Route {
        method: Method::Post,
        path: "/api/auth/register/finish",
        needs: Needs::Nothing,
        body: Body::Small,
        handler: |method| on(method, finish_registration),
    },
    Route {
        method: Method::Post,
        path: "/api/auth/login/begin",
        needs: Needs::Nothing,
        body: Body::Small,
        handler: |method| on(method, begin_login),
    },
    Route {
        method: Method::Post,
        path: "/api/auth/login/finish",
        needs: Needs::Nothing,
        body: Body::Small,
        handler: |method| on(method, finish_login),
    },
    Route {
        method: Method::Post,
        path: "/api/auth/logout",
        needs: Needs::Nothing,
        body: Body::Nothing,
        handler: |method| on(method, logout),
    },
    Route {
        method: Method::Patch,
        path: "/api/auth/settings",
        needs: Needs::Credential,
        body: Body::Small,
        handler: |method| on(method, configure),
    },
    Route {
        method: Method::Post,
        path: "/api/auth/accept",
        needs: Needs::Credential,
        body: Body::Nothing,
        handler: |method| on(method, accept),
    },
    Route {
        method: Method::Get,
        path: "/api/auth/activity",
        needs: Needs::Credential,
        body: Body::Nothing,
        handler: |method| on(method, activity),
    },
];

async fn status(caller: Caller) -> Result<Json<Value>, Failure> {
    let status = caller.client.auth_status().await?;
    Ok(Json(written_status(&status)))
}

fn written_status(status: &AuthStatus) -> Value {
    json!({
        "principal": json::principal(status.principal),
        "session_id": status.session_id,
        "token_id": status.token_id,
        "scopes": json::scopes(&status.scopes),
        "rp_id": status.rp_id,
        "paired": status.paired,
        "host_admitted": status.host_admitted,
        "explanation": status.explanation,
        "settings": status.settings.map(written_settings),
        "warnings": status.warnings,
        "anchored": status.anchored,
        "unavailable": status.unavailable,
    })
}

fn written_settings(settings: AuthSettings) -> Value {
    json!({
        "require_auth": settings.require_auth,
        "loopback_bypass": settings.loopback_bypass,
        "first_pair": match settings.first_pair {
            FirstPair::Code => "code",
            FirstPair::Open => "open",
        },
        "strict": settings.strict,
        "query_tokens": settings.query_tokens,
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Registration {
    pairing_code: Option<String>,
    label: Option<String>,
}

async fn begin_registration(
    caller: Caller,
    Input(asked): Input<Registration>,
) -> Result<Json<Value>, Failure> {
    let code = asked
        .pairing_code
        .map(|code| Secret::new(code.into_bytes()));
    let label = asked.label.as_deref();
    let challenge = caller.client.begin_registration(code.as_ref(), label);
    written_challenge(&challenge.await?)
}

fn written_challenge(challenge: &Challenge) -> Result<Json<Value>, Failure> {
    let options: Value =
        serde_json::from_slice(&challenge.options).map_err(|_| Failure::internal())?;
    Ok(Json(
        json!({ "ceremony": challenge.ceremony, "options": options }),
    ))
}

/// What an authenticator made of a challenge.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Ceremony {
    ceremony: String,
    /// Passed on as it is: the daemon alone reads it.
    credential: Box<RawValue>,
}

async fn finish_registration(
    caller: Caller,
    Input(made): Input<Ceremony>,
) -> Result<Response, Failure> {
    let credential = made.credential.get().as_bytes();
    let finished = caller
        .client
        .finish_registration(&made.ceremony, credential);
    let (passkey, session) = finished.await?;
    let answer = json!({
        "passkey": passkeys::written(&passkey),
        "session": session.as_ref().map(|session| json!({ "id": session.id })),
    });
    signed_in(&caller, session.as_ref(), StatusCode::CREATED, answer)
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Login {
    conditional: bool,
}

async fn begin_login(caller: Caller, Input(asked): Input<Login>) -> Result<Json<Value>, Failure> {
    written_challenge(&caller.client.begin_login(asked.conditional).await?)
}

async fn finish_login(caller: Caller, Input(made): Input<Ceremony>) -> Result<Response, Failure> {
    let credential = made.credential.get().as_bytes();
    let session = caller
        .client
        .finish_login(&made.ceremony, credential)
        .await?;
    let answer = json!({ "session": { "id": session.id } });
    signed_in(&caller, Some(&session), StatusCode::OK, answer)
}

/// An answer with the cookie of a session that has just begun.
fn signed_in(
    caller: &Caller,
    session: Option<&NewSession>,
    status: StatusCode,
    answer: Value,
) -> Result<Response, Failure> {
    let mut response = (status, Json(answer)).into_response();
    if let Some(session) = session {
        let cookie = cookie::begin(&scheme(caller), session)?;
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    Ok(response)
}

fn scheme(caller: &Caller) -> Scheme {
    if caller.request.scheme == "https" {
        Scheme::HTTPS
    } else {
        Scheme::HTTP
    }
}

/// Takes the cookie back, whatever it was worth. Nothing is said of a session that had ended already.
async fn logout(caller: Caller) -> Result<Response, Failure> {
    let ended = caller.client.logout().await.map_err(Failure::from);
    if let Err(failure) = ended
        && failure.reason() != "UNAUTHENTICATED"
    {
        return Err(failure);
    }
    let cookie = [(header::SET_COOKIE, cookie::end(&scheme(&caller))?)];
    Ok((StatusCode::NO_CONTENT, cookie).into_response())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SettingsChange {
    require_auth: Option<bool>,
    loopback_bypass: Option<bool>,
    first_pair: Option<WrittenFirstPair>,
    strict: Option<bool>,
    query_tokens: Option<bool>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum WrittenFirstPair {
    Code,
    Open,
}

async fn configure(
    caller: Caller,
    Input(change): Input<SettingsChange>,
) -> Result<Json<Value>, Failure> {
    let change = AuthSettingsChange {
        require_auth: change.require_auth,
        loopback_bypass: change.loopback_bypass,
        first_pair: change.first_pair.map(|written| match written {
            WrittenFirstPair::Code => FirstPair::Code,
            WrittenFirstPair::Open => FirstPair::Open,
        }),
        strict: change.strict,
        query_tokens: change.query_tokens,
    };
    let settings = caller.client.configure_auth(change).await?;
    Ok(Json(written_settings(settings)))
}

async fn accept(caller: Caller) -> Result<Json<Value>, Failure> {
    let (sessions_ended, tokens_revoked) = caller.client.accept_auth().await?;
    Ok(Json(json!({
        "sessions_ended": sessions_ended,
        "tokens_revoked": tokens_revoked,
    })))
}

#[derive(Deserialize)]
struct ActivityAsked {
    #[serde(default)]
    limit: u32,
}

async fn activity(
    caller: Caller,
    Parameters(asked): Parameters<ActivityAsked>,
) -> Result<Json<Value>, Failure> {
    let events = caller.client.activity(asked.limit).await?;
    let events: Vec<Value> = events.iter().map(written_event).collect();
    Ok(Json(json!({ "events": events })))
}

fn written_event(event: &ActivityEvent) -> Value {
    json!({
        "at": time(event.at),
        "action": event.action,
        "admitted": event.admitted,
        "principal": json::principal(event.principal),
        "who": event.who,
        "from": event.from,
        "detail": event.detail,
    })
}
