//! `/api/key`: the storage key, and its replacement.

use axum::{
    response::{IntoResponse as _, Response},
    routing::on,
};
use data_encoding::BASE64;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use vault_client::{
    KeyStatus, NextKey, Rotation, RotationDepth, RotationEvent, RotationOutcome, RotationProgress,
    RotationStream,
};

use super::{Body, Method, Needs, Route};
use crate::{caller::Caller, events, extract::Input, failure::Failure, json::time_of_ms};

pub(super) const ROUTES: &[Route] = &[
    Route {
        method: Method::Get,
        path: "/api/key",
        needs: Needs::Credential,
        body: Body::Nothing,
        handler: |method| on(method, status),
    },
    Route {
        method: Method::Post,
        path: "/api/key/rotate",
        needs: Needs::Credential,
        body: Body::Small,
        handler: |method| on(method, rotate),
    },
    Route {
        method: Method::Post,
        path: "/api/key/pause",
        needs: Needs::Credential,
        body: Body::Nothing,
        handler: |method| on(method, pause),
    },
    Route {
        method: Method::Post,
        path: "/api/key/resume",
        needs: Needs::Credential,
        body: Body::Nothing,
        handler: |method| on(method, resume),
    },
    Route {
        method: Method::Post,
        path: "/api/key/rollback",
        needs: Needs::Credential,
        body: Body::Nothing,
        handler: |method| on(method, roll_back),
    },
];

/// Where key and rotation stand, as JSON.
#[derive(Serialize)]
pub(super) struct KeyJson {
    vault_id: String,
    keyring_backend: String,
    fingerprint: String,
    rotation: Option<RotationJson>,
    last_export: Option<ExportJson>,
    derived: bool,
    salt_problem: String,
    moving_to: String,
    kept_keys: Vec<String>,
    reset: Option<String>,
}

#[derive(Serialize)]
struct ExportJson {
    at: String,
    fingerprint: String,
    opens: bool,
}

#[derive(Serialize)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent of one another, as the daemon tells them"
)]
struct RotationJson {
    depth: Option<&'static str>,
    back: bool,
    paused: bool,
    running: bool,
    error: String,
    from: String,
    to: String,
    awaits_credential: bool,
    #[serde(flatten)]
    progress: ProgressJson,
}

#[derive(Serialize)]
struct ProgressJson {
    state: &'static str,
    store: String,
    objects_done: u64,
    objects_total: u64,
    bytes_done: u64,
    bytes_total: u64,
}

#[derive(Serialize)]
struct OutcomeJson {
    fingerprint: String,
    paused: bool,
    rolled_back: bool,
    kept_keys: Vec<String>,
    exports_outdated: bool,
    /// In base64: what to present at the next start. It comes only once.
    credential: Option<String>,
}

impl From<KeyStatus> for KeyJson {
    fn from(status: KeyStatus) -> Self {
        Self {
            vault_id: status.vault_id,
            keyring_backend: status.keyring_backend,
            fingerprint: status.fingerprint,
            rotation: status.rotation.map(RotationJson::from),
            last_export: status.last_export.map(|export| ExportJson {
                at: time_of_ms(export.at_ms),
                fingerprint: export.fingerprint,
                opens: export.opens,
            }),
            derived: status.derived,
            salt_problem: status.salt_problem,
            moving_to: status.moving_to,
            kept_keys: status.kept_keys,
            reset: status.reset_ms.map(time_of_ms),
        }
    }
}

impl From<Rotation> for RotationJson {
    fn from(rotation: Rotation) -> Self {
        let progress = ProgressJson::from(rotation.progress);
        Self {
            depth: rotation.depth.map(RotationDepth::as_str),
            back: rotation.back,
            paused: rotation.paused,
            running: rotation.running,
            error: rotation.error,
            from: rotation.from,
            to: rotation.to,
            awaits_credential: rotation.awaits_credential,
            progress: ProgressJson {
                state: rotation.state.as_str(),
                ..progress
            },
        }
    }
}

impl From<RotationProgress> for ProgressJson {
    fn from(progress: RotationProgress) -> Self {
        Self {
            state: progress.state.as_str(),
            store: progress.store,
            objects_done: progress.objects_done,
            objects_total: progress.objects_total,
            bytes_done: progress.bytes_done,
            bytes_total: progress.bytes_total,
        }
    }
}

impl From<RotationOutcome> for OutcomeJson {
    fn from(outcome: RotationOutcome) -> Self {
        let credential = outcome.credential;
        Self {
            fingerprint: outcome.fingerprint,
            paused: outcome.paused,
            rolled_back: outcome.rolled_back,
            kept_keys: outcome.kept_keys,
            exports_outdated: outcome.exports_outdated,
            credential: credential.map(|secret| BASE64.encode(secret.expose())),
        }
    }
}

/// How much is to be replaced, and by what.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rotate {
    #[serde(default)]
    depth: Depth,
    /// For a derived key: give up the derivation.
    #[serde(default)]
    random: bool,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Depth {
    #[default]
    Rewrap,
    Reencrypt,
}

async fn status(caller: Caller) -> Result<Response, Failure> {
    let status = caller.client.key_status().await?;
    Ok(axum::Json(KeyJson::from(status)).into_response())
}

async fn rotate(caller: Caller, Input(rotate): Input<Rotate>) -> Result<Response, Failure> {
    let depth = match rotate.depth {
        Depth::Rewrap => RotationDepth::Rewrap,
        Depth::Reencrypt => RotationDepth::Reencrypt,
    };
    let next = if rotate.random {
        NextKey::Random
    } else {
        NextKey::AsBefore
    };
    Ok(follow(caller.client.rotate_key(depth, next).await?))
}

async fn pause(caller: Caller) -> Result<StatusCode, Failure> {
    caller.client.pause_rotation().await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn resume(caller: Caller) -> Result<Response, Failure> {
    Ok(follow(caller.client.resume_rotation().await?))
}

async fn roll_back(caller: Caller) -> Result<Response, Failure> {
    Ok(follow(caller.client.roll_back_rotation().await?))
}

/// Tells how far it has come. It goes on where nobody listens any more.
fn follow(rotation: RotationStream) -> Response {
    events::follow(rotation, async |mut rotation| {
        let event = match rotation.next().await? {
            None => return Ok(None),
            Some(RotationEvent::Progress(progress)) => {
                events::event("progress", &ProgressJson::from(progress))
            }
            Some(RotationEvent::Done(outcome)) => {
                events::event("done", &OutcomeJson::from(outcome))
            }
        };
        Ok(Some((event, rotation)))
    })
}
