//! Maintenance RPCs.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::sync::mpsc;
use tonic::{Request, Response, Status};
use vault_auth::Permission;
use vault_proto::v1::{
    MaintenanceOperation, MaintenanceStatusRequest, MaintenanceStatusResponse,
    RunMaintenanceRequest, RunMaintenanceResponse, maintenance_server::Maintenance,
    maintenance_status_response,
};
use vault_store::{
    StoreName, StoreResult, SystemClock,
    databases::{Call, Stop, StopReason},
    maintenance::{Operation, Task, TaskStatus, Upkept},
};

use super::{ANSWER_DEPTH, Answer, Services, caller, convert};
use crate::{error::store_error, keeper::Keeper};

/// How long an operation waits for the writers before it.
const WAIT: Duration = Duration::from_secs(60);
/// How long it may work. A large database takes its time, and whoever asked can still go away.
const WORK: Duration = Duration::from_secs(24 * 60 * 60);

/// The `Maintenance` service.
#[derive(Clone)]
pub struct MaintenanceService(pub Services);

fn wire(operation: Operation) -> MaintenanceOperation {
    match operation {
        Operation::Optimize => MaintenanceOperation::Optimize,
        Operation::Checkpoint => MaintenanceOperation::Checkpoint,
        Operation::Vacuum => MaintenanceOperation::Vacuum,
        Operation::Collect => MaintenanceOperation::Collect,
    }
}

fn parse(operation: MaintenanceOperation) -> Option<Operation> {
    match operation {
        MaintenanceOperation::Unspecified => None,
        MaintenanceOperation::Optimize => Some(Operation::Optimize),
        MaintenanceOperation::Checkpoint => Some(Operation::Checkpoint),
        MaintenanceOperation::Vacuum => Some(Operation::Vacuum),
        MaintenanceOperation::Collect => Some(Operation::Collect),
    }
}

fn describe(status: TaskStatus) -> maintenance_status_response::Task {
    maintenance_status_response::Task {
        database: status.task.database.to_string(),
        operation: wire(status.task.operation).into(),
        last: status.last.map(convert::timestamp),
        next: status.next.map(convert::timestamp),
        failure: status.failure.unwrap_or_default(),
    }
}

fn result(task: &Task, begun: Instant, done: &StoreResult<Upkept>) -> RunMaintenanceResponse {
    let figures = done.as_ref().ok();
    RunMaintenanceResponse {
        database: task.database.to_string(),
        operation: wire(task.operation).into(),
        took_ms: u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX),
        bytes_before: figures.map_or(0, |upkept| upkept.before),
        bytes_after: figures.map_or(0, |upkept| upkept.after),
        failure: done
            .as_ref()
            .err()
            .map(ToString::to_string)
            .unwrap_or_default(),
    }
}

#[tonic::async_trait]
impl Maintenance for MaintenanceService {
    async fn status(
        &self,
        request: Request<MaintenanceStatusRequest>,
    ) -> Result<Response<MaintenanceStatusResponse>, Status> {
        let caller = caller(&request)?;
        let status = self.0.run(|keeper| {
            let vault = keeper.vault()?;
            Ok(keeper.upkeep_status(&vault, &SystemClock))
        });
        let mut status = status.await?;
        let reached = |store: &StoreName| caller.reaches(store.as_str(), Permission::Read);
        status.tasks.retain(|task| reached(&task.task.database));
        status.excluded.retain(reached);
        Ok(Response::new(MaintenanceStatusResponse {
            tasks: status.tasks.into_iter().map(describe).collect(),
            excluded: status.excluded.iter().map(ToString::to_string).collect(),
        }))
    }

    type RunStream = Answer<RunMaintenanceResponse>;

    async fn run(
        &self,
        request: Request<RunMaintenanceRequest>,
    ) -> Result<Response<Self::RunStream>, Status> {
        let request = request.into_inner();
        let operation = parse(request.operation());
        let database = Some(request.database).filter(|name| !name.is_empty());
        let database = database.map(|name| StoreName::parse(&name)).transpose();
        let database = database.map_err(|error| store_error(&error.into()))?;
        let tasks = self
            .0
            .with_vault(move |vault| Keeper::upkeep_tasks(vault, database.as_ref(), operation));
        let tasks = tasks.await?;
        let (sender, receiver) = mpsc::channel(ANSWER_DEPTH);
        let services = self.0.clone();
        tokio::spawn(async move {
            let stop = Stop::new();
            let stopped = Arc::clone(&stop);
            let results = sender.clone();
            let work = move |keeper: &Keeper| {
                let _busy = keeper.busy();
                for task in tasks {
                    // One that was locked meanwhile ends the rest.
                    let vault = keeper.vault()?;
                    let call = Call {
                        stop: Arc::clone(&stopped),
                        wait: WAIT,
                        work: WORK,
                    };
                    let begun = Instant::now();
                    let done = keeper.upkeep_now(&vault, &task, &call, &SystemClock);
                    if results
                        .blocking_send(Ok(result(&task, begun, &done)))
                        .is_err()
                    {
                        break;
                    }
                }
                Ok(())
            };
            tokio::select! {
                ended = services.run(work) => if let Err(status) = ended {
                    let _ = sender.send(Err(status)).await;
                },
                // Nobody listens any more: what runs is interrupted and undone.
                () = sender.closed() => stop.stop(StopReason::Cancelled),
            }
        });
        Ok(Response::new(Answer::new(receiver)))
    }
}
