//! `/api/connections`: where an application reaches a service. A key comes in and never goes out.

use axum::{
    response::{IntoResponse as _, Response},
    routing::on,
};
use http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use vault_client::{Connection, NewConnection, Precondition, Secret};

use super::{Body, Method, Needs, Route};
use crate::{
    caller::Caller,
    extract::{Flag, Input, Parameters, Segments},
    failure::Failure,
    json::time_of_ms,
    precondition,
};

pub(super) const ROUTES: &[Route] = &[
    Route {
        method: Method::Get,
        path: "/api/connections",
        needs: Needs::Credential,
        body: Body::Nothing,
        handler: |method| on(method, list),
    },
    Route {
        method: Method::Get,
        path: ONE,
        needs: Needs::Credential,
        body: Body::Nothing,
        handler: |method| on(method, get),
    },
    Route {
        method: Method::Put,
        path: ONE,
        needs: Needs::Credential,
        body: Body::Small,
        handler: |method| on(method, save),
    },
    Route {
        method: Method::Delete,
        path: ONE,
        needs: Needs::Credential,
        body: Body::Nothing,
        handler: |method| on(method, delete),
    },
    Route {
        method: Method::Post,
        path: "/api/connections/{id}/activate",
        needs: Needs::Credential,
        body: Body::Nothing,
        handler: |method| on(method, activate),
    },
];

const ONE: &str = "/api/connections/{id}";

/// A connection as JSON. There is no key in it.
#[derive(Serialize)]
struct ConnectionJson {
    id: String,
    name: String,
    base_url: String,
    compatibility: String,
    has_secret: bool,
    active: bool,
    created: String,
    modified: String,
    revision: u64,
    extra: Option<Box<RawValue>>,
}

impl From<Connection> for ConnectionJson {
    fn from(connection: Connection) -> Self {
        Self {
            id: connection.id,
            name: connection.name,
            base_url: connection.base_url,
            compatibility: connection.compatibility,
            has_secret: connection.has_secret,
            active: connection.active,
            created: time_of_ms(connection.created_ms),
            modified: time_of_ms(connection.modified_ms),
            revision: connection.revision,
            extra: serde_json::from_slice(&connection.extra).ok(),
        }
    }
}

#[derive(Serialize)]
struct Connections {
    connections: Vec<ConnectionJson>,
    damaged: Vec<String>,
}

/// A connection that is to be saved.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Save {
    #[serde(default)]
    name: String,
    base_url: String,
    #[serde(default)]
    compatibility: String,
    extra: Option<Box<RawValue>>,
    /// The one stored before stays where there is none.
    key: Option<String>,
    #[serde(default)]
    activate: bool,
}

#[derive(Deserialize)]
struct DeleteQuery {
    #[serde(default)]
    key_only: Flag,
}

async fn list(caller: Caller) -> Result<Response, Failure> {
    let (connections, damaged) = caller.client.connections().await?;
    let connections = connections.into_iter().map(ConnectionJson::from).collect();
    let listed = Connections {
        connections,
        damaged,
    };
    Ok(axum::Json(listed).into_response())
}

fn answer(connection: Connection) -> Response {
    axum::Json(ConnectionJson::from(connection)).into_response()
}

async fn get(caller: Caller, Segments(id): Segments<String>) -> Result<Response, Failure> {
    Ok(answer(caller.client.connection(&id).await?))
}

async fn save(
    caller: Caller,
    Segments(id): Segments<String>,
    headers: HeaderMap,
    Input(save): Input<Save>,
) -> Result<Response, Failure> {
    let create = match precondition::of_write(&headers)? {
        Precondition::None => false,
        Precondition::Absent => true,
        Precondition::Present | Precondition::Revision(_) => {
            let text = "`If-None-Match: *`, to only create, is all that a connection takes";
            return Err(Failure::invalid(text));
        }
    };
    let new = NewConnection {
        id,
        name: save.name,
        base_url: save.base_url,
        compatibility: save.compatibility,
        extra: save.extra.map_or(Vec::new(), |extra| extra.get().into()),
        key: save.key.map(|key| Secret::new(key.into_bytes())),
        create,
        activate: save.activate,
    };
    let saved = caller.client.save_connection(new).await;
    let saved = saved.map_err(Failure::from);
    let saved = saved.map_err(|failure| {
        if create {
            failure.of_precondition()
        } else {
            failure
        }
    });
    Ok(answer(saved?))
}

async fn delete(
    caller: Caller,
    Segments(id): Segments<String>,
    Parameters(query): Parameters<DeleteQuery>,
    headers: HeaderMap,
) -> Result<StatusCode, Failure> {
    precondition::none(&headers)?;
    let key_only = query.key_only.0;
    caller.client.delete_connection(&id, key_only).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn activate(caller: Caller, Segments(id): Segments<String>) -> Result<Response, Failure> {
    Ok(answer(caller.client.activate_connection(&id).await?))
}
