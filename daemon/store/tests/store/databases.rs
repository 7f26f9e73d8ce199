//! Encrypted databases.

mod bounds;
mod damage;
mod hostile;
mod imports;
mod keys;
mod statements;
mod swaps;
mod transactions;
mod turns;

use std::{ops::ControlFlow, path::PathBuf, sync::Arc, time::Duration};

use vault_store::{
    SizeClass, StoreError, StoreResult,
    catalogue::{DatabaseOptions, Kind, Protection},
    databases::{
        Call, Column, Database, Executed, Parameters, RowSink, SqlError, Statement, Value, ValueRef,
    },
    vault::NewStore,
};

use crate::support::{disk::OnDisk, fixture::name};

/// Longer than any wait of a test that passes.
pub(crate) const LONG: Duration = Duration::from_secs(60);

pub(crate) fn new_database(text: &str) -> NewStore {
    NewStore {
        name: name(text),
        kind: Kind::Database,
        protection: Protection::Protected,
        size_class: SizeClass::Card,
        database: DatabaseOptions::default(),
        attachments: vault_store::catalogue::AttachmentOptions::default(),
    }
}

/// A vault on disk with one database.
pub(crate) struct World {
    pub(crate) disk: OnDisk,
    pub(crate) database: Arc<Database>,
}

impl World {
    pub(crate) fn new() -> Self {
        let disk = OnDisk::new();
        disk.vault
            .create_store(new_database("app/data"))
            .expect("a new database");
        let database = open(&disk);
        Self { disk, database }
    }

    /// With a table of notes.
    pub(crate) fn with_notes() -> Self {
        let world = Self::new();
        world.execute("CREATE TABLE note(id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE)");
        world
    }

    pub(crate) fn reopen(&mut self) {
        self.disk.reopen();
        self.database = open(&self.disk);
    }

    pub(crate) fn execute(&self, sql: &str) -> Executed {
        self.try_execute(sql).expect("executed")
    }

    pub(crate) fn try_execute(&self, sql: &str) -> StoreResult<Executed> {
        self.database.execute(&call(), &Statement::new(sql))
    }

    pub(crate) fn add(&self, text: &str) {
        insert(&self.database, text).expect("inserted");
    }

    pub(crate) fn rows(&self, sql: &str) -> Vec<Vec<Value>> {
        rows(&self.database, sql).expect("rows")
    }

    pub(crate) fn notes(&self) -> Vec<String> {
        notes(&self.database)
    }

    /// The folder of the database.
    pub(crate) fn folder(&self) -> PathBuf {
        let id = self.database.record().id.to_string();
        self.disk.root().join("stores").join(id)
    }

    /// The names of the files in it.
    pub(crate) fn files(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.folder()).expect("listed");
        let mut names: Vec<_> = entries
            .map(|entry| entry.expect("an entry").file_name())
            .map(|name| name.into_string().expect("ASCII"))
            .collect();
        names.sort_unstable();
        names
    }
}

fn open(disk: &OnDisk) -> Arc<Database> {
    disk.vault.database(&name("app/data")).expect("opened")
}

pub(crate) fn call() -> Call {
    Call::within(LONG)
}

pub(crate) fn insert(database: &Database, text: &str) -> StoreResult<Executed> {
    database.execute(&call(), &insertion(text))
}

pub(crate) fn insertion(text: &str) -> Statement {
    with(
        "INSERT INTO note(text) VALUES (?)",
        [Value::Text(text.to_owned())],
    )
}

pub(crate) fn with<const N: usize>(sql: &str, values: [Value; N]) -> Statement {
    Statement {
        sql: sql.to_owned(),
        runs: vec![positional(values)],
    }
}

pub(crate) fn positional<const N: usize>(values: [Value; N]) -> Parameters {
    Parameters {
        positional: values.into(),
        named: Vec::new(),
    }
}

pub(crate) fn notes(database: &Database) -> Vec<String> {
    let rows = rows(database, "SELECT text FROM note ORDER BY id").expect("rows");
    rows.into_iter()
        .map(|mut row| match row.remove(0) {
            Value::Text(text) => text,
            other => panic!("{other:?} is no text"),
        })
        .collect()
}

pub(crate) fn rows(database: &Database, sql: &str) -> StoreResult<Vec<Vec<Value>>> {
    let mut kept = Kept::default();
    database.query(&call(), sql, &Parameters::default(), &mut kept)?;
    Ok(kept.rows)
}

/// Keeps rows, up to a number of them.
#[derive(Default)]
pub(crate) struct Kept {
    pub(crate) columns: Vec<Column>,
    pub(crate) rows: Vec<Vec<Value>>,
    pub(crate) enough: Option<usize>,
}

impl RowSink for Kept {
    fn columns(&mut self, columns: Vec<Column>) -> ControlFlow<()> {
        self.columns = columns;
        ControlFlow::Continue(())
    }

    fn row(&mut self, values: &[ValueRef<'_>]) -> ControlFlow<()> {
        self.rows
            .push(values.iter().map(|value| owned(*value)).collect());
        if Some(self.rows.len()) == self.enough {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    }
}

fn owned(value: ValueRef<'_>) -> Value {
    value.try_into().expect("text is UTF-8")
}

pub(crate) fn sql_error<T: std::fmt::Debug>(result: StoreResult<T>) -> SqlError {
    match result {
        Err(StoreError::Sql(error)) => error,
        other => panic!("{other:?} is no failure of SQL"),
    }
}
