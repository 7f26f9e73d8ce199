//! `vaultctl maintenance ...`: the upkeep of databases and of stores of blobs.

use vault_client::{Client, MaintenanceOperation, MaintenanceRun};

use crate::{context::Context, failure::Failure, output};

#[derive(clap::Subcommand, Debug)]
pub(crate) enum Maintenance {
    /// Show what upkeep does, and when
    Status,
    /// Run upkeep now, due or not
    Run(Run),
}

#[derive(clap::ValueEnum, Clone, Copy, Debug)]
enum Operation {
    /// Figures for the query planner
    Optimize,
    /// Write the log back and empty it
    Checkpoint,
    /// Give free pages back to the disk
    Vacuum,
    /// Remove blobs that nothing has named for long enough
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

#[derive(clap::Args, Debug)]
pub(crate) struct Run {
    /// This database or store of blobs only [default: every one that is not left out]
    #[arg(long, value_name = "STORE")]
    store: Option<String>,
    /// This operation only [default: all]
    #[arg(long, value_enum, value_name = "OP")]
    op: Option<Operation>,
}

impl Maintenance {
    pub(crate) async fn run(self, context: &Context) -> Result<(), Failure> {
        let client = context.open().await?;
        match self {
            Self::Status => status(context, &client).await,
            Self::Run(run) => run.run(context, &client).await,
        }
    }
}

fn name(operation: Option<MaintenanceOperation>) -> &'static str {
    operation.map_or("unknown", MaintenanceOperation::as_str)
}

async fn status(context: &Context, client: &Client) -> Result<(), Failure> {
    let status = client.maintenance_status().await?;
    if context.json() {
        for task in &status.tasks {
            output::json(&serde_json::json!({
                "store": task.database,
                "operation": name(task.operation),
                "last": task.last_ms.map(output::time),
                "next": task.next_ms.map(output::time),
                "failure": task.failure,
            }))?;
        }
        for store in &status.excluded {
            output::json(&serde_json::json!({ "store": store, "excluded": true }))?;
        }
        return Ok(());
    }
    let when = |ms: Option<i64>| ms.map_or_else(|| "-".to_owned(), output::time);
    let tasks = status.tasks.iter().map(|task| {
        let failed = if task.failure.is_empty() {
            String::new()
        } else {
            format!("FAILED: {}", output::printable(&task.failure))
        };
        vec![
            output::printable(&task.database),
            name(task.operation).to_owned(),
            when(task.last_ms),
            when(task.next_ms),
            failed,
        ]
    });
    let excluded = status.excluded.iter().map(|store| {
        let none = || "-".to_owned();
        vec![
            output::printable(store),
            none(),
            none(),
            none(),
            "left out".to_owned(),
        ]
    });
    let rows: Vec<Vec<String>> = tasks.chain(excluded).collect();
    output::table(&["STORE", "OPERATION", "LAST", "NEXT", "NOTES"], &rows)
}

impl Run {
    async fn run(self, context: &Context, client: &Client) -> Result<(), Failure> {
        let operation = self.op.map(MaintenanceOperation::from);
        let store = self.store.as_deref();
        let mut results = client.run_maintenance(store, operation).await?;
        let (mut done, mut failed) = (0, 0);
        while let Some(result) = results.next().await? {
            if result.failure.is_empty() {
                done += 1;
            } else {
                failed += 1;
            }
            print(context, &result)?;
        }
        if failed > 0 {
            return Err(Failure::other(format!("{failed} failed, {done} done")));
        }
        if done == 0 && !context.json() {
            return output::line("there is nothing that upkeep looks after");
        }
        Ok(())
    }
}

fn print(context: &Context, result: &MaintenanceRun) -> Result<(), Failure> {
    let operation = name(result.operation);
    if context.json() {
        return output::json(&serde_json::json!({
            "store": result.database,
            "operation": operation,
            "took_ms": result.took_ms,
            "bytes_before": result.bytes_before,
            "bytes_after": result.bytes_after,
            "failure": result.failure,
        }));
    }
    let database = output::printable(&result.database);
    if !result.failure.is_empty() {
        let why = output::printable(&result.failure);
        return output::line(&format!("{database} {operation} FAILED: {why}"));
    }
    output::line(&format!(
        "{database} {operation} in {} ms, {} before, {} after",
        result.took_ms,
        output::size(result.bytes_before),
        output::size(result.bytes_after)
    ))
}
