//! Encrypted SQL databases.

mod import;
mod info;
mod rows;
mod statement;
mod transaction;
mod value;

use std::time::Duration;

use vault_proto::{
    UNARY_BODY_LIMIT,
    v1::{
        BackupDatabaseRequest, BatchStatementsRequest, CheckDatabaseRequest,
        ConfigureDatabaseRequest, CreateDatabaseRequest, DatabaseStatsRequest, DropDatabaseRequest,
        ExecuteRequest, ListDatabasesRequest, MigrateDatabaseRequest, QueryRequest,
        transact_request::Begin,
    },
};

pub use import::{
    DatabaseImport, DatabaseImportEvent, DatabaseImportStream, DatabasePart, TableDigest,
};
pub use info::{
    BlobColumn, Database, DatabaseChanges, DatabaseCheck, DatabaseCheckStream, DatabaseOptions,
    DatabaseStats, DatabaseTable, MigratedDatabase,
};
pub use rows::{Column, Rows, RowsEnd};
pub use statement::{Executed, Statement};
pub use transaction::Transaction;
pub use value::{Parameters, Value};

use crate::{Client, Error, ExportStream, SealFor, Store};
use statement::timeout as ms;

/// How a transaction is to be.
#[derive(Clone, Copy, Debug, Default)]
pub struct TransactionOptions {
    /// How long it may stay open; the daemon's default where none is named.
    pub timeout: Option<Duration>,
    /// A view of one moment, beside any writer.
    pub read_only: bool,
}

impl Client {
    /// Creates a database.
    pub async fn create_database(
        &self,
        name: &str,
        options: DatabaseOptions,
    ) -> Result<Store, Error> {
        let blob_columns = options.blob_columns.into_iter();
        let request = CreateDatabaseRequest {
            name: name.to_owned(),
            size_class: options.size_class.wire().into(),
            without_maintenance: options.without_maintenance,
            blob_columns: blob_columns.map(BlobColumn::wire).collect(),
        };
        let response = self
            .services
            .databases()
            .create(request)
            .await?
            .into_inner();
        Ok(response.store.unwrap_or_default().into())
    }

    /// Changes what is declared of a database besides its content.
    pub async fn configure_database(
        &self,
        name: &str,
        changes: DatabaseChanges,
    ) -> Result<(), Error> {
        let set_blob_columns = changes.blob_columns.is_some();
        let blob_columns = changes.blob_columns.unwrap_or_default().into_iter();
        let request = ConfigureDatabaseRequest {
            name: name.to_owned(),
            without_maintenance: changes.without_maintenance,
            set_blob_columns,
            blob_columns: blob_columns.map(BlobColumn::wire).collect(),
        };
        self.services.databases().configure(request).await?;
        Ok(())
    }

    /// Every database, ordered by name.
    pub async fn databases(&self) -> Result<Vec<Database>, Error> {
        let response = self
            .services
            .databases()
            .list(ListDatabasesRequest {})
            .await?;
        let databases = response.into_inner().databases;
        Ok(databases.into_iter().map(Database::from).collect())
    }

    /// Deletes a database and all that is in it.
    pub async fn drop_database(&self, name: &str) -> Result<(), Error> {
        let name = name.to_owned();
        let request = DropDatabaseRequest { name };
        // `drop` of the prelude is another.
        self.services.databases().drop(request).await?;
        Ok(())
    }

    /// Runs one statement, durably; rows it returns are left unread. Within `timeout`, else the
    /// daemon's default. All of its runs have their effect, or none.
    pub async fn execute(
        &self,
        database: &str,
        statement: Statement,
        timeout: Option<Duration>,
    ) -> Result<Executed, Error> {
        if statement.size() > UNARY_BODY_LIMIT {
            let done = self.batch_in_parts(database, vec![statement], timeout);
            return Ok(done.await?.pop().unwrap_or_default());
        }
        let request = ExecuteRequest {
            database: database.to_owned(),
            statement: Some(statement.encoded()),
            timeout_ms: ms(timeout),
        };
        let response = self.services.databases().execute(request).await?;
        Ok(response.into_inner().into())
    }

    /// Runs one statement and hands out its rows as they come. One that writes is durable once the
    /// rows were read to their end.
    pub async fn query(
        &self,
        database: &str,
        sql: &str,
        parameters: Parameters,
        timeout: Option<Duration>,
    ) -> Result<Rows<'static>, Error> {
        if sql.len() + parameters.size() > UNARY_BODY_LIMIT {
            // Only a transaction takes parameters in chunks.
            let options = TransactionOptions {
                timeout,
                ..TransactionOptions::default()
            };
            let mut transaction = self.transaction(database, options).await?;
            transaction.ask(sql, parameters).await?;
            return Rows::own(transaction).await;
        }
        let request = QueryRequest {
            database: database.to_owned(),
            sql: sql.to_owned(),
            parameters: Some(parameters.wire()),
            timeout_ms: ms(timeout),
        };
        let stream = self.services.databases().query(request).await?.into_inner();
        Rows::alone(stream).await
    }

    /// Runs statements one after the other in one transaction: all or none. One result for each.
    pub async fn execute_batch(
        &self,
        database: &str,
        statements: Vec<Statement>,
        timeout: Option<Duration>,
    ) -> Result<Vec<Executed>, Error> {
        if statements.iter().map(Statement::size).sum::<usize>() > UNARY_BODY_LIMIT {
            return self.batch_in_parts(database, statements, timeout).await;
        }
        let request = BatchStatementsRequest {
            database: database.to_owned(),
            statements: statements.into_iter().map(Statement::wire).collect(),
            timeout_ms: ms(timeout),
        };
        let response = self.services.databases().batch(request).await?.into_inner();
        Ok(response.results.into_iter().map(Executed::from).collect())
    }

    /// A batch that no single message takes.
    async fn batch_in_parts(
        &self,
        database: &str,
        statements: Vec<Statement>,
        timeout: Option<Duration>,
    ) -> Result<Vec<Executed>, Error> {
        let options = TransactionOptions {
            timeout,
            ..TransactionOptions::default()
        };
        let mut transaction = self.transaction(database, options).await?;
        let mut done = Vec::with_capacity(statements.len());
        for statement in statements {
            done.push(transaction.execute_all(statement).await?);
        }
        transaction.commit().await?;
        Ok(done)
    }

    /// Begins a transaction that this client leads; a writing one waits for the writer before it.
    pub async fn transaction(
        &self,
        database: &str,
        options: TransactionOptions,
    ) -> Result<Transaction, Error> {
        let begin = Begin {
            database: database.to_owned(),
            timeout_ms: ms(options.timeout),
            read_only: options.read_only,
        };
        Transaction::begin(self, begin).await
    }

    /// Applies the steps of a schema that are still missing, all in one transaction. `steps` are
    /// all there are, the oldest first.
    pub async fn migrate_database(
        &self,
        database: &str,
        steps: Vec<String>,
        timeout: Option<Duration>,
    ) -> Result<MigratedDatabase, Error> {
        let request = MigrateDatabaseRequest {
            database: database.to_owned(),
            steps,
            timeout_ms: ms(timeout),
        };
        let migrated = self
            .services
            .databases()
            .migrate(request)
            .await?
            .into_inner();
        Ok(MigratedDatabase {
            from_version: migrated.from_version,
            to_version: migrated.to_version,
        })
    }

    /// An archive of one database as of one moment, sealed by age. `verify_archive` and
    /// `restore_archive` take it.
    pub async fn backup_database(
        &self,
        database: &str,
        seal: SealFor<'_>,
    ) -> Result<ExportStream, Error> {
        let (passphrase, recipients) = seal.wire();
        let request = BackupDatabaseRequest {
            database: database.to_owned(),
            passphrase,
            recipients,
        };
        let stream = self
            .services
            .databases()
            .backup(request)
            .await?
            .into_inner();
        Ok(ExportStream::new(stream))
    }

    /// Checks every page, SQLite's structures, foreign keys and full-text indexes.
    pub async fn check_database(
        &self,
        database: &str,
        timeout: Option<Duration>,
    ) -> Result<DatabaseCheckStream, Error> {
        let request = CheckDatabaseRequest {
            database: database.to_owned(),
            timeout_ms: ms(timeout),
        };
        let stream = self.services.databases().check(request).await?.into_inner();
        Ok(DatabaseCheckStream(stream))
    }

    /// Figures of a database.
    pub async fn database_stats(&self, database: &str) -> Result<DatabaseStats, Error> {
        let database = database.to_owned();
        let request = DatabaseStatsRequest { database };
        let stats = self.services.databases().stats(request).await?;
        Ok(stats.into_inner().into())
    }
}
