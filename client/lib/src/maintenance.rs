//! The upkeep of databases and of stores of blobs.

use vault_proto::v1::{
    self, MaintenanceStatusRequest, RunMaintenanceRequest, RunMaintenanceResponse,
};

use crate::{Client, Error, vault::millis};

/// What upkeep does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MaintenanceOperation {
    /// Figures for the query planner.
    Optimize,
    /// The log written back and emptied.
    Checkpoint,
    /// The file without its free pages.
    Vacuum,
    /// Blobs that nothing has named for long enough are removed.
    Collect,
}

impl MaintenanceOperation {
    const fn wire(self) -> v1::MaintenanceOperation {
        match self {
            Self::Optimize => v1::MaintenanceOperation::Optimize,
            Self::Checkpoint => v1::MaintenanceOperation::Checkpoint,
            Self::Vacuum => v1::MaintenanceOperation::Vacuum,
            Self::Collect => v1::MaintenanceOperation::Collect,
        }
    }

    /// `None` for one of a later version.
    const fn received(operation: v1::MaintenanceOperation) -> Option<Self> {
        match operation {
            v1::MaintenanceOperation::Optimize => Some(Self::Optimize),
            v1::MaintenanceOperation::Checkpoint => Some(Self::Checkpoint),
            v1::MaintenanceOperation::Vacuum => Some(Self::Vacuum),
            v1::MaintenanceOperation::Collect => Some(Self::Collect),
            v1::MaintenanceOperation::Unspecified => None,
        }
    }

    /// `optimize`, `checkpoint`, `vacuum` or `collect`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Optimize => "optimize",
            Self::Checkpoint => "checkpoint",
            Self::Vacuum => "vacuum",
            Self::Collect => "collect",
        }
    }
}

/// An operation on a database that upkeep keeps an eye on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MaintenanceTask {
    /// The database.
    pub database: String,
    /// What is done.
    pub operation: Option<MaintenanceOperation>,
    /// When it was last done, in milliseconds since 1970.
    pub last_ms: Option<i64>,
    /// When it is due, in milliseconds since 1970; `None` where it is turned off.
    pub next_ms: Option<i64>,
    /// Why the last attempt came to nothing; empty where it did not.
    pub failure: String,
}

/// Where upkeep stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MaintenanceStatus {
    /// What is done, and when.
    pub tasks: Vec<MaintenanceTask>,
    /// Databases that it leaves alone.
    pub excluded: Vec<String>,
}

/// An operation that was run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MaintenanceRun {
    /// On this database.
    pub database: String,
    /// The operation.
    pub operation: Option<MaintenanceOperation>,
    /// In milliseconds.
    pub took_ms: u64,
    /// Bytes of file and log before.
    pub bytes_before: u64,
    /// Bytes of file and log after.
    pub bytes_after: u64,
    /// Why it came to nothing; empty where it did not.
    pub failure: String,
}

/// Upkeep that was asked for, under way.
pub struct MaintenanceStream(tonic::Streaming<RunMaintenanceResponse>);

impl MaintenanceStream {
    /// The next result; `None` at the end.
    pub async fn next(&mut self) -> Result<Option<MaintenanceRun>, Error> {
        let message = self.0.message().await?;
        Ok(message.map(|message| MaintenanceRun {
            operation: MaintenanceOperation::received(message.operation()),
            database: message.database,
            took_ms: message.took_ms,
            bytes_before: message.bytes_before,
            bytes_after: message.bytes_after,
            failure: message.failure,
        }))
    }
}

impl Client {
    /// What upkeep does, and when.
    pub async fn maintenance_status(&self) -> Result<MaintenanceStatus, Error> {
        let request = MaintenanceStatusRequest {};
        let status = self.services.maintenance().status(request).await?;
        let status = status.into_inner();
        let tasks = status.tasks.into_iter().map(|task| MaintenanceTask {
            operation: MaintenanceOperation::received(task.operation()),
            database: task.database,
            last_ms: task.last.map(|last| millis(Some(last))),
            next_ms: task.next.map(|next| millis(Some(next))),
            failure: task.failure,
        });
        Ok(MaintenanceStatus {
            tasks: tasks.collect(),
            excluded: status.excluded,
        })
    }

    /// Runs upkeep now, due or not: of one database or of every one that is not excluded, one
    /// operation or all three.
    pub async fn run_maintenance(
        &self,
        database: Option<&str>,
        operation: Option<MaintenanceOperation>,
    ) -> Result<MaintenanceStream, Error> {
        let operation = operation.map_or(
            v1::MaintenanceOperation::Unspecified,
            MaintenanceOperation::wire,
        );
        let request = RunMaintenanceRequest {
            database: database.unwrap_or_default().to_owned(),
            operation: operation.into(),
        };
        let stream = self.services.maintenance().run(request).await?.into_inner();
        Ok(MaintenanceStream(stream))
    }
}
