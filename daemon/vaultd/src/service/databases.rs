//! Databases RPCs.

mod allowance;
mod answer;
mod at_hand;
mod check;
mod describe;
mod import;
mod long;
mod outlet;
mod query;
mod rows;
mod side;
mod transaction;
mod turns;
mod values;

use std::sync::Arc;

use tokio::sync::Semaphore;
use tonic::{Request, Response, Status, Streaming};
use vault_proto::v1::{
    BackupDatabaseRequest, BatchStatementsRequest, BatchStatementsResponse, CheckDatabaseRequest,
    CheckDatabaseResponse, ConfigureDatabaseRequest, ConfigureDatabaseResponse,
    CreateDatabaseRequest, CreateDatabaseResponse, DatabaseStatsRequest, DatabaseStatsResponse,
    DropDatabaseRequest, DropDatabaseResponse, ExecuteRequest, ExecuteResponse,
    ExportArchiveResponse, ImportDatabaseRequest, ImportDatabaseResponse, ListDatabasesRequest,
    ListDatabasesResponse, MigrateDatabaseRequest, MigrateDatabaseResponse, QueryRequest,
    QueryResponse, TransactRequest, TransactResponse, databases_server::Databases,
    export_archive_request::Form,
};
use vault_store::{
    StoreError, StoreName, StoreResult,
    archive::Contents,
    catalogue::Kind,
    databases::{Call, Database, Executed},
    vault::NewStore,
};

use self::{
    allowance::{Allowance, LONGEST_STATEMENT},
    answer::{Answer, StopGuard},
    side::Side,
    turns::{Turn, Turns},
};
use super::{Services, archives::Exporting, caller, convert, stores, vault::secret};
use crate::keeper::Keeper;

/// The `Databases` service.
#[derive(Clone)]
pub struct DatabasesService {
    services: Services,
    turns: Arc<Turns>,
    /// Statements at once. Apart from other calls: statements may work for long.
    statements: Arc<Semaphore>,
    /// Transactions at once: each has a thread of its own.
    transactions: Arc<Semaphore>,
    /// How many statements and transactions there may be.
    most: (usize, usize),
}

/// A place to work at a database, for as long as this is held.
struct Place {
    database: StoreName,
    // Given back in this order.
    _slot: Turn,
    _turn: Turn,
}

impl Place {
    /// Works on the database, and gives the place back.
    fn work<T>(
        self,
        keeper: &Keeper,
        work: impl FnOnce(&Database) -> StoreResult<T>,
    ) -> Result<T, Box<Status>> {
        let _busy = keeper.busy();
        let vault = keeper.vault()?;
        let worked = vault
            .database(&self.database)
            .and_then(|database| work(&database));
        worked.map_err(|error| Box::new(refuse(keeper, &self.database, &error)))
    }
}

/// What a client sees of a failure: what was closed under its hands may have been dropped.
fn refuse(keeper: &Keeper, database: &StoreName, error: &StoreError) -> Status {
    if matches!(error, StoreError::Closed)
        && let Some(vault) = keeper.vault_if_open()
        && let Err(gone @ StoreError::NoSuchStore(_)) = vault.database(database)
    {
        return keeper.refusal_of(&gone);
    }
    keeper.refusal_of(error)
}

fn executed(executed: Executed) -> ExecuteResponse {
    ExecuteResponse {
        changes: executed.changes,
        last_insert_rowid: executed.last_insert_rowid,
    }
}

impl DatabasesService {
    /// The service with its own bounds.
    pub fn new(services: Services) -> Self {
        let limits = services.limits.now();
        Self {
            services,
            turns: Arc::default(),
            statements: Arc::new(Semaphore::new(limits.statements)),
            transactions: Arc::new(Semaphore::new(limits.transactions)),
            most: (limits.statements, limits.transactions),
        }
    }

    /// Transactions that clients lead now, and other statements.
    pub fn in_progress(&self) -> (u64, u64) {
        let taken = |of: &Semaphore, most: usize| most.saturating_sub(of.available_permits());
        let (statements, transactions) = self.most;
        let transactions = taken(&self.transactions, transactions);
        (
            transactions as u64,
            taken(&self.statements, statements) as u64,
        )
    }

    /// Waits for a place at a database.
    async fn place(
        &self,
        database: &str,
        side: Side,
        allowance: &Allowance,
    ) -> Result<Place, Status> {
        let database = stores::parse(database)?;
        let turn = self.turns.take(&database, side, allowance.until).await?;
        let slot = turns::take(Arc::clone(&self.statements), allowance.until).await?;
        Ok(Place {
            database,
            _slot: slot,
            _turn: turn,
        })
    }

    /// Works on a database within the time that a unary call may take.
    async fn work<T: Send + 'static>(
        &self,
        database: &str,
        side: Side,
        timeout_ms: u32,
        work: impl FnOnce(&Database, &Call) -> StoreResult<T> + Send + 'static,
    ) -> Result<T, Status> {
        let time = self.services.limits.now().statement();
        let allowance = Allowance::new(timeout_ms, time, LONGEST_STATEMENT)?;
        let place = self.place(database, side, &allowance).await?;
        let call = allowance.in_all();
        let _stop = StopGuard(Arc::clone(&call.stop));
        self.services
            .run_at_once(move |keeper| place.work(keeper, |database| work(database, &call)))
            .await
    }
}

#[tonic::async_trait]
impl Databases for DatabasesService {
    async fn create(
        &self,
        request: Request<CreateDatabaseRequest>,
    ) -> Result<Response<CreateDatabaseResponse>, Status> {
        let request = request.into_inner();
        let name = stores::parse(&request.name)?;
        let without = describe::is_left_out(&name, request.without_maintenance);
        let new = NewStore {
            size_class: convert::size_class(request.size_class()),
            database: describe::options(without, request.blob_columns)?,
            ..NewStore::new(name, Kind::Database)
        };
        let store = self.services.with_vault(move |vault| {
            let record = vault.create_store(new)?;
            Ok(stores::describe(vault, &record))
        });
        let store = Some(store.await?);
        Ok(Response::new(CreateDatabaseResponse { store }))
    }

    async fn configure(
        &self,
        request: Request<ConfigureDatabaseRequest>,
    ) -> Result<Response<ConfigureDatabaseResponse>, Status> {
        let request = request.into_inner();
        let name = stores::parse(&request.name)?;
        let given = describe::options(false, request.blob_columns)?;
        let configured = self.services.with_vault(move |vault| {
            vault.configure_database(&name, |options| {
                if let Some(without) = request.without_maintenance {
                    options.without_maintenance = without;
                }
                if request.set_blob_columns {
                    options.blob_columns = given.blob_columns;
                }
            })
        });
        configured.await?;
        Ok(Response::new(ConfigureDatabaseResponse {}))
    }

    async fn list(
        &self,
        request: Request<ListDatabasesRequest>,
    ) -> Result<Response<ListDatabasesResponse>, Status> {
        let caller = caller(&request)?;
        let databases = self
            .services
            .with_vault(move |vault| Ok(describe::list(vault, &caller)));
        let databases = databases.await?;
        Ok(Response::new(ListDatabasesResponse { databases }))
    }

    async fn drop(
        &self,
        request: Request<DropDatabaseRequest>,
    ) -> Result<Response<DropDatabaseResponse>, Status> {
        let name = stores::parse(&request.into_inner().name)?;
        let dropped = self.services.with_vault(move |vault| {
            // Not opened for it: one that is damaged can be dropped, too.
            describe::record(vault, &name)?;
            vault.remove_store(&name)
        });
        dropped.await?;
        Ok(Response::new(DropDatabaseResponse {}))
    }

    async fn execute(
        &self,
        request: Request<ExecuteRequest>,
    ) -> Result<Response<ExecuteResponse>, Status> {
        let request = request.into_inner();
        let statement = request.statement.unwrap_or_default();
        let side = Side::of(values::Sets::of(&statement)?.sql());
        let done = self.work(
            &request.database,
            side,
            request.timeout_ms,
            move |database, call| {
                let sets = values::Sets::of(&statement)?;
                database.execute_each(call, sets.sql(), &sets)
            },
        );
        Ok(Response::new(executed(done.await?)))
    }

    type QueryStream = Answer<QueryResponse>;

    async fn query(
        &self,
        request: Request<QueryRequest>,
    ) -> Result<Response<Self::QueryStream>, Status> {
        query::begin(self, request).await.map(Response::new)
    }

    async fn batch(
        &self,
        request: Request<BatchStatementsRequest>,
    ) -> Result<Response<BatchStatementsResponse>, Status> {
        let request = request.into_inner();
        let statements = request.statements.into_iter();
        let statements = statements.map(|given| values::statement(Some(given)));
        let statements: Vec<_> = statements.collect::<Result<_, _>>()?;
        let done = self.work(
            &request.database,
            Side::Write,
            request.timeout_ms,
            move |database, call| database.batch(call, &statements),
        );
        let results = done.await?.into_iter().map(executed).collect();
        Ok(Response::new(BatchStatementsResponse { results }))
    }

    type TransactStream = super::Answer<TransactResponse>;

    async fn transact(
        &self,
        request: Request<Streaming<TransactRequest>>,
    ) -> Result<Response<Self::TransactStream>, Status> {
        transaction::begin(self, request).await.map(Response::new)
    }

    async fn migrate(
        &self,
        request: Request<MigrateDatabaseRequest>,
    ) -> Result<Response<MigrateDatabaseResponse>, Status> {
        let request = request.into_inner();
        let steps = request.steps;
        let done = self.work(
            &request.database,
            Side::Write,
            request.timeout_ms,
            move |database, call| database.migrate(call, &steps),
        );
        let (from_version, to_version) = done.await?;
        Ok(Response::new(MigrateDatabaseResponse {
            from_version,
            to_version,
        }))
    }

    type ImportStream = super::Answer<ImportDatabaseResponse>;

    async fn import(
        &self,
        request: Request<Streaming<ImportDatabaseRequest>>,
    ) -> Result<Response<Self::ImportStream>, Status> {
        import::begin(self, request).await.map(Response::new)
    }

    type BackupStream = super::Answer<ExportArchiveResponse>;

    async fn backup(
        &self,
        request: Request<BackupDatabaseRequest>,
    ) -> Result<Response<Self::BackupStream>, Status> {
        let request = request.into_inner();
        let name = stores::parse(&request.database)?;
        let only = name.clone();
        let found = self
            .services
            .with_vault(move |vault| describe::record(vault, &name));
        found.await?;
        let exporting = Exporting {
            contents: Contents {
                only: Some(vec![only]),
                ..Contents::default()
            },
            form: Form::Sealed,
            zstd: false,
            passphrase: secret(request.passphrase),
            recipients: request.recipients,
        };
        Ok(Response::new(exporting.begin(&self.services)))
    }

    type CheckStream = Answer<CheckDatabaseResponse>;

    async fn check(
        &self,
        request: Request<CheckDatabaseRequest>,
    ) -> Result<Response<Self::CheckStream>, Status> {
        check::begin(self, request).await.map(Response::new)
    }

    async fn stats(
        &self,
        request: Request<DatabaseStatsRequest>,
    ) -> Result<Response<DatabaseStatsResponse>, Status> {
        let name = request.into_inner().database;
        let stats = self.work(&name, Side::Read, 0, |database, call| {
            let figures = database.figures(call)?;
            Ok(describe::stats(&database.record(), figures))
        });
        Ok(Response::new(stats.await?))
    }
}
