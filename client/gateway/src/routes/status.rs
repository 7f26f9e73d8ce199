//! `/api/status`: the vault as a whole, in every state of its key.

use axum::{
    response::{IntoResponse as _, Response},
    routing::on,
};
use serde::Serialize;
use vault_client::{KeyState, Status, StorageLocations};

use super::{Body, Method, Needs, Route, key::KeyJson, stores::StoreJson};
use crate::{caller::Caller, failure::Failure, json::time_of_ms};

pub(super) const ROUTES: &[Route] = &[Route {
    method: Method::Get,
    path: "/api/status",
    needs: Needs::Credential,
    body: Body::Nothing,
    handler: |method| on(method, status),
}];

#[derive(Serialize)]
struct StatusJson {
    version: String,
    pid: u32,
    started: String,
    vault_id: String,
    key_state: &'static str,
    keyring_backend: String,
    key_fingerprint: String,
    explanation: String,
    remedies: Vec<String>,
    ephemeral: bool,
    non_dumpable: bool,
    secrets: u64,
    storage_locations: StorageLocations,
    /// Where key and rotation stand; none for whom that is not.
    key: Option<KeyJson>,
    /// Every store with its size; none where no key opens them, or for whom they are not.
    stores: Option<Vec<StoreJson>>,
}

async fn status(caller: Caller) -> Result<Response, Failure> {
    let client = &caller.client;
    let status = client.status().await?;
    let key = allowed(client.key_status().await.map_err(Failure::from))?;
    let stores = if status.key_state == KeyState::Open {
        allowed(client.stores().await.map_err(Failure::from))?
    } else {
        None
    };
    let stores = stores.map(|stores| stores.into_iter().map(StoreJson::from).collect());
    let status = StatusJson::new(status, key.map(KeyJson::from), stores);
    Ok(axum::Json(status).into_response())
}

/// `None` where it is not for the one who asks, or the vault was locked meanwhile.
fn allowed<T>(told: Result<T, Failure>) -> Result<Option<T>, Failure> {
    match told {
        Err(failure) if ["PERMISSION_DENIED", "LOCKED"].contains(&failure.reason()) => Ok(None),
        told => told.map(Some),
    }
}

impl StatusJson {
    fn new(status: Status, key: Option<KeyJson>, stores: Option<Vec<StoreJson>>) -> Self {
        Self {
            version: status.version,
            pid: status.pid,
            started: time_of_ms(status.started_ms),
            vault_id: status.vault_id,
            key_state: status.key_state.as_str(),
            key_fingerprint: status.key_fingerprint,
            explanation: status.explanation,
            remedies: status.remedies,
            ephemeral: status.ephemeral,
            non_dumpable: status.non_dumpable,
            secrets: status.secrets,
            storage_locations: status.storage_locations,
            keyring_backend: status.keyring_backend,
            key,
            stores,
        }
    }
}
