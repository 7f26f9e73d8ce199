//! `/api/stores`: named collections. A name has slashes of its own, and stands in an address as one part:
//! `chat%2Fconversations`.

use axum::{
    response::{IntoResponse as _, Response},
    routing::on,
};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use vault_client::{AttachmentPolicy, SizeClass, Store, StoreKind, StoreOptions};

use super::{Body, Method, Needs, Route};
use crate::{
    caller::Caller,
    extract::{Input, Segments},
    failure::Failure,
};

pub(super) const ROUTES: &[Route] = &[
    Route {
        method: Method::Get,
        path: "/api/stores",
        needs: Needs::Credential,
        body: Body::Nothing,
        handler: |method| on(method, list),
    },
    Route {
        method: Method::Post,
        path: "/api/stores",
        needs: Needs::Credential,
        body: Body::Small,
        handler: |method| on(method, create),
    },
    Route {
        method: Method::Get,
        path: "/api/stores/{store}",
        needs: Needs::Credential,
        body: Body::Nothing,
        handler: |method| on(method, get),
    },
    Route {
        method: Method::Delete,
        path: "/api/stores/{store}",
        needs: Needs::Credential,
        body: Body::Nothing,
        handler: |method| on(method, remove),
    },
];

/// A store as JSON.
#[derive(Serialize)]
pub(super) struct StoreJson {
    name: String,
    kind: &'static str,
    plain: bool,
    max_body_bytes: u64,
    documents: u64,
    body_bytes: u64,
    revision: u64,
    awaiting_migration: u64,
    damaged: String,
    attachments: Option<PolicyJson>,
}

/// What becomes of attachments, as JSON.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PolicyJson {
    #[serde(default)]
    blobs: String,
    image_bytes: Option<u64>,
    document_bytes: Option<u64>,
    video_bytes: Option<u64>,
    audio_bytes: Option<u64>,
}

impl From<Store> for StoreJson {
    fn from(store: Store) -> Self {
        Self {
            name: store.name,
            kind: store.kind,
            plain: store.plain,
            max_body_bytes: store.max_body_bytes,
            documents: store.documents,
            body_bytes: store.body_bytes,
            revision: store.revision,
            awaiting_migration: store.awaiting_migration,
            damaged: store.damaged,
            attachments: store.attachments.map(PolicyJson::from),
        }
    }
}

impl From<AttachmentPolicy> for PolicyJson {
    fn from(policy: AttachmentPolicy) -> Self {
        Self {
            blobs: policy.blobs,
            image_bytes: policy.image_bytes,
            document_bytes: policy.document_bytes,
            video_bytes: policy.video_bytes,
            audio_bytes: policy.audio_bytes,
        }
    }
}

impl From<PolicyJson> for AttachmentPolicy {
    fn from(policy: PolicyJson) -> Self {
        Self {
            blobs: policy.blobs,
            image_bytes: policy.image_bytes,
            document_bytes: policy.document_bytes,
            video_bytes: policy.video_bytes,
            audio_bytes: policy.audio_bytes,
        }
    }
}

/// What a store holds.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Documents,
    Database,
    Blobs,
    Files,
    Secrets,
}

impl From<Kind> for StoreKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Documents => Self::Documents,
            Kind::Database => Self::Database,
            Kind::Blobs => Self::Blobs,
            Kind::Files => Self::Files,
            Kind::Secrets => Self::Secrets,
        }
    }
}

/// A store that is to be made.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewStore {
    name: String,
    kind: Kind,
    #[serde(default)]
    plain: bool,
    class: Option<SizeClass>,
    attachments: Option<PolicyJson>,
}

#[derive(Serialize)]
struct Stores {
    stores: Vec<StoreJson>,
}

async fn list(caller: Caller) -> Result<Response, Failure> {
    let stores = caller.client.stores().await?;
    Ok(listed(stores))
}

/// The stores of one kind.
pub(super) async fn stores_of(caller: &Caller, kind: &str) -> Result<Response, Failure> {
    let mut stores = caller.client.stores().await?;
    stores.retain(|store| store.kind == kind);
    Ok(listed(stores))
}

fn listed(stores: Vec<Store>) -> Response {
    let stores = stores.into_iter().map(StoreJson::from).collect();
    axum::Json(Stores { stores }).into_response()
}

async fn create(caller: Caller, Input(new): Input<NewStore>) -> Result<Response, Failure> {
    let options = StoreOptions {
        kind: new.kind.into(),
        plain: new.plain,
        size_class: new.class,
        attachments: new.attachments.map(AttachmentPolicy::from),
    };
    let store = caller.client.create_store(&new.name, &options).await?;
    Ok((StatusCode::CREATED, axum::Json(StoreJson::from(store))).into_response())
}

async fn get(caller: Caller, Segments(name): Segments<String>) -> Result<Response, Failure> {
    let stores = caller.client.stores().await?;
    let store = stores.into_iter().find(|store| store.name == name);
    let missing = || {
        let message = "there is no store of this name";
        Failure::new(StatusCode::NOT_FOUND, "NOT_FOUND", message)
    };
    let store = store.ok_or_else(missing)?;
    Ok(axum::Json(StoreJson::from(store)).into_response())
}

async fn remove(caller: Caller, Segments(name): Segments<String>) -> Result<StatusCode, Failure> {
    caller.client.remove_store(&name).await?;
    Ok(StatusCode::NO_CONTENT)
}
