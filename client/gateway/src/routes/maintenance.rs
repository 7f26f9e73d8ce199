//! `/api/maintenance`: the upkeep of databases and of stores of blobs.

use axum::{
    response::{IntoResponse as _, Response},
    routing::on,
};
use serde::{Deserialize, Serialize};
use vault_client::{MaintenanceOperation, MaintenanceRun, MaintenanceTask};

use super::{Body, Method, Needs, Route};
use crate::{caller::Caller, events, extract::Input, failure::Failure, json::time_of_ms};

pub(super) const ROUTES: &[Route] = &[
    Route {
        method: Method::Get,
        path: "/api/maintenance",
        needs: Needs::Credential,
        body: Body::Nothing,
        handler: |method| on(method, status),
    },
    Route {
        method: Method::Post,
        path: "/api/maintenance",
        needs: Needs::Credential,
        body: Body::Small,
        handler: |method| on(method, run),
    },
];

#[derive(Serialize)]
struct StatusJson {
    tasks: Vec<TaskJson>,
    excluded: Vec<String>,
}

#[derive(Serialize)]
struct TaskJson {
    store: String,
    operation: Option<&'static str>,
    last: Option<String>,
    next: Option<String>,
    failure: String,
}

impl From<MaintenanceTask> for TaskJson {
    fn from(task: MaintenanceTask) -> Self {
        Self {
            store: task.database,
            operation: task.operation.map(MaintenanceOperation::as_str),
            last: task.last_ms.map(time_of_ms),
            next: task.next_ms.map(time_of_ms),
            failure: task.failure,
        }
    }
}

#[derive(Serialize)]
struct RunJson {
    store: String,
    operation: Option<&'static str>,
    took_ms: u64,
    bytes_before: u64,
    bytes_after: u64,
    failure: String,
}

impl From<MaintenanceRun> for RunJson {
    fn from(run: MaintenanceRun) -> Self {
        Self {
            store: run.database,
            operation: run.operation.map(MaintenanceOperation::as_str),
            took_ms: run.took_ms,
            bytes_before: run.bytes_before,
            bytes_after: run.bytes_after,
            failure: run.failure,
        }
    }
}

/// What is to be done; everything by default.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Run {
    store: Option<String>,
    operation: Option<Operation>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Operation {
    Optimize,
    Checkpoint,
    Vacuum,
    Collect,
}

impl From<Operation> for MaintenanceOperation {
    fn from(operation: Operation) -> Self {
        match operation {
            Operation::Optimize => Self::Optimize,
            Operation::Checkpoint => Self::Checkpoint,
            Operation::Vacuum => Self::Vacuum,
            Operation::Collect => Self::Collect,
        }
    }
}

async fn status(caller: Caller) -> Result<Response, Failure> {
    let status = caller.client.maintenance_status().await?;
    let status = StatusJson {
        tasks: status.tasks.into_iter().map(TaskJson::from).collect(),
        excluded: status.excluded,
    };
    Ok(axum::Json(status).into_response())
}

/// Runs upkeep now; each operation is an event as it ends.
async fn run(caller: Caller, Input(run): Input<Run>) -> Result<Response, Failure> {
    let operation = run.operation.map(MaintenanceOperation::from);
    let runs = caller
        .client
        .run_maintenance(run.store.as_deref(), operation);
    let runs = runs.await?;
    Ok(events::follow(Some(runs), async |state| {
        let Some(mut runs) = state else {
            return Ok(None);
        };
        Ok(Some(match runs.next().await? {
            Some(run) => (events::event("progress", &RunJson::from(run)), Some(runs)),
            None => (events::event("done", &serde_json::json!({})), None),
        }))
    }))
}
