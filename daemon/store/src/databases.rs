//! Encrypted SQL databases: SQLite with every page sealed by SQLCipher.
//!
//! A database is a folder with a sealed `head`, which names the file in force and the key that
//! opens it, and that file with its write-ahead log. Read it in this order: `head` (what is in
//! force), `connection` and `keying` (how a file is opened), `policy` and `allowed` (what clients
//! may do), `writer` and `generation` (who waits for whom), `run` (a statement), [`Transaction`],
//! `copy` (another key, another content), `snapshot`, `plain_form` and `restore` (out of the vault
//! and back).
//!
//! SQLite alone touches a file in use: to open it otherwise, and be it only to read, would drop the
//! locks that SQLite holds on it when that descriptor is closed.

mod allowed;
mod binding;
mod call;
mod check;
mod connection;
mod copy;
mod error;
mod fault;
mod figures;
mod file;
mod functions;
mod generation;
mod head;
mod import;
mod keying;
pub mod memory;
mod migrate;
mod plain_form;
mod policy;
mod restore;
mod run;
mod snapshot;
mod statement;
mod store_kind;
mod transaction;
mod upkeep;
mod watch;
mod writer;

use std::sync::{
    Arc, Mutex, PoisonError, RwLock,
    atomic::{AtomicBool, Ordering},
};
use std::time::{Duration, Instant};

pub use call::{Call, Stop, StopReason};
pub use connection::INNER_VALUE;
pub use error::{Budget, SqlError};
pub use figures::{DatabaseFigures, TableFigures};
pub use generation::READERS;
pub use import::{Import, NewDatabase, SchemaEntry, TableDigest};
pub use keying::prepare_by;
pub use statement::{
    Column, Executed, Given, NoRows, Parameters, RowSink, Runs, Statement, Value, ValueRef,
};
pub use store_kind::DatabaseKind;
pub use transaction::Transaction;

use self::{
    connection::{Bounded, Purpose},
    fault::{Place, spoils},
    generation::Generation,
    head::Head,
    policy::Author,
    run::Run,
    writer::{Turn, Writer},
};
use crate::{
    catalogue::{DatabaseOptions, StoreRecord},
    durable,
    error::{StoreError, StoreResult},
    kind::StoreContext,
    vault::lock,
};

/// A row of small values may be this large, in bytes, however small the size class.
const SMALLEST_ROW_LIMIT: u64 = 64 << 10;

/// An open database.
pub struct Database {
    context: StoreContext,
    options: RwLock<DatabaseOptions>,
    /// The file in force; none once the database is closed.
    live: RwLock<Option<Arc<Generation>>>,
    writer: Writer,
    /// Whether the head on disk may name another file than the one in force.
    doubt: AtomicBool,
    used: Mutex<Instant>,
}

impl Database {
    /// Opens the file that the head names, and removes what crashes left beside it.
    fn open(context: StoreContext) -> StoreResult<Arc<Self>> {
        let head = Head::read(&context)?.ok_or_else(|| {
            let object = fault::describe(&context.record.name);
            StoreError::damaged(object, "its head is gone")
        })?;
        let generation = Arc::new(Generation::new(&context, head.clone(), false)?);
        let database = Self {
            options: RwLock::new(context.record.database.clone()),
            live: RwLock::new(Some(generation)),
            writer: Writer::default(),
            doubt: AtomicBool::new(false),
            used: Mutex::new(Instant::now()),
            context,
        };
        // Whether it can be read is said now and not to the first caller that wants a row.
        let mut turn = database.writer.take(&Call::within(Duration::ZERO))?;
        database.with_writer(&mut turn, |_| Ok(()))?;
        drop(turn);
        // Not before: as long as the file in force was not seen, any other may be all there is.
        sweep(&database.context, &head);
        Ok(Arc::new(database))
    }

    pub(crate) fn configure(&self, options: DatabaseOptions) {
        *self.options.write().unwrap_or_else(PoisonError::into_inner) = options;
    }

    /// Its entry in the catalogue.
    pub fn record(&self) -> StoreRecord {
        let options = self.options.read().unwrap_or_else(PoisonError::into_inner);
        StoreRecord {
            database: options.clone(),
            ..self.context.record.clone()
        }
    }

    /// Largest row and set of parameters, in bytes.
    pub fn limit(&self) -> u64 {
        self.context.body_limit
    }

    /// How long nobody has used it.
    pub fn idle(&self) -> Duration {
        lock(&self.used).elapsed()
    }

    fn touch(&self) {
        *lock(&self.used) = Instant::now();
    }

    fn place(&self) -> Place<'_> {
        Place {
            name: &self.context.record.name,
            limit: self.context.body_limit,
        }
    }

    fn generation(&self) -> StoreResult<Arc<Generation>> {
        let live = self.live.read().unwrap_or_else(PoisonError::into_inner);
        live.clone().ok_or(StoreError::Closed)
    }

    fn in_doubt(&self) {
        self.doubt.store(true, Ordering::Release);
    }

    /// Makes sure, before anything is written, that the head on disk names the file in force.
    fn settle(&self) -> StoreResult<()> {
        if self.doubt.load(Ordering::Acquire) {
            // Nobody puts another file in force, or closes the database, meanwhile.
            let live = self.live.read().unwrap_or_else(PoisonError::into_inner);
            let live = live.as_ref().ok_or(StoreError::Closed)?;
            live.head.write(&self.context)?;
            self.doubt.store(false, Ordering::Release);
        }
        Ok(())
    }

    /// Hands the writer's connection to `work`, opened where it is not. One that the disk failed is
    /// closed: the next use finds out what the file holds.
    fn with_writer<T>(
        &self,
        turn: &mut Turn<'_>,
        work: impl FnOnce(&Bounded) -> StoreResult<T>,
    ) -> StoreResult<T> {
        self.settle()?;
        let bounded = match &mut turn.connection {
            Some(bounded) => bounded,
            none => none.insert(self.generation()?.connect(Purpose::Write, self.place())?),
        };
        let done = work(bounded);
        if done.as_ref().is_err_and(spoils) {
            turn.close_connection();
        }
        done
    }

    fn run<'a>(&'a self, bounded: &'a Bounded, call: &'a Call, author: Author) -> Run<'a> {
        Run {
            bounded,
            call,
            place: self.place(),
            author,
        }
    }

    /// Runs one statement and hands its rows to `rows`. One that reads runs beside any writer.
    pub fn query(
        &self,
        call: &Call,
        sql: &str,
        parameters: &Parameters,
        rows: &mut dyn RowSink,
    ) -> StoreResult<Executed> {
        if let Some(done) = self.query_if_it_reads(call, sql, parameters, rows)? {
            return Ok(done);
        }
        let mut turn = self.writer.take(call)?;
        let done = self.with_writer(&mut turn, |bounded| {
            let run = self.run(bounded, call, Author::Client);
            run.rows(sql, parameters, rows)
        });
        self.touch();
        done
    }

    /// The same of a statement that reads; `None`, with nothing done, for one that writes.
    pub fn query_if_it_reads(
        &self,
        call: &Call,
        sql: &str,
        parameters: &Parameters,
        rows: &mut dyn RowSink,
    ) -> StoreResult<Option<Executed>> {
        self.touch();
        let reading = self.generation()?.reader(call, self.place())?;
        let run = self.run(reading.bounded(), call, Author::Client);
        Ok(run.if_it_reads(sql, parameters, rows)?.ok())
    }

    /// Runs one statement, durably; with several sets of parameters in one transaction.
    pub fn execute(&self, call: &Call, statement: &Statement) -> StoreResult<Executed> {
        self.execute_each(call, &statement.sql, statement.runs())
    }

    /// The same of a statement and of sets of parameters that need not lie in memory.
    pub fn execute_each<R: Runs + ?Sized>(
        &self,
        call: &Call,
        sql: &str,
        runs: &R,
    ) -> StoreResult<Executed> {
        self.touch();
        let mut turn = self.writer.take(call)?;
        let done = self.with_writer(&mut turn, |bounded| {
            self.run(bounded, call, Author::Client).each(sql, runs)
        });
        self.touch();
        done
    }

    /// Runs statements one after the other in one transaction, durably: all or none.
    pub fn batch(&self, call: &Call, statements: &[Statement]) -> StoreResult<Vec<Executed>> {
        self.touch();
        let mut turn = self.writer.take(call)?;
        let done = self.with_writer(&mut turn, |bounded| {
            in_transaction(self.place(), bounded, call, || {
                let run = self.run(bounded, call, Author::ClientInTransaction);
                let done = statements.iter().map(|statement| run.statement(statement));
                done.collect()
            })
        });
        self.touch();
        done
    }

    /// Begins a transaction that the caller leads. `call.stop` ends it.
    pub fn begin(&self, call: &Call, read_only: bool) -> StoreResult<Transaction<'_>> {
        self.touch();
        Transaction::begin(self, call, read_only)
    }

    fn close_all(&self) {
        let mut live = self.live.write().unwrap_or_else(PoisonError::into_inner);
        let generation = live.take();
        drop(live);
        if let Some(generation) = generation {
            generation.close();
        }
        self.writer.close();
    }
}

/// Runs `work` in a transaction of the writer's: durable where it succeeds, undone where not.
fn in_transaction<T>(
    place: Place<'_>,
    bounded: &Bounded,
    call: &Call,
    work: impl FnOnce() -> StoreResult<T>,
) -> StoreResult<T> {
    let connection = &bounded.connection;
    place.own(connection.execute_batch("BEGIN IMMEDIATE"))?;
    let done = work().and_then(|done| match call.stop.reason() {
        Some(reason) => Err(reason.error()),
        None => place.own(connection.execute_batch("COMMIT")).map(|()| done),
    });
    if !connection.is_autocommit() {
        // Where this fails, the connection is not used again.
        let _ = connection.execute_batch("ROLLBACK");
    }
    done
}

/// Removes files that no head names any more, or never did. Best effort.
fn sweep(context: &StoreContext, head: &Head) {
    let folder = head::folder(context);
    let fs = context.root.fs();
    durable::sweep(fs, &folder);
    for (name, _) in fs.read_dir(&folder).unwrap_or_default() {
        if head::is_of_another(&name, &head.file) {
            let _ = fs.remove_file(&folder.join(name));
        }
    }
}

impl std::fmt::Debug for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Database")
            .field("id", &self.context.record.id)
            .finish_non_exhaustive()
    }
}
