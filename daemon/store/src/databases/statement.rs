//! What a client asks of a database, and what it gets back.

use std::{fmt, ops::ControlFlow};

pub use rusqlite::types::{Value, ValueRef};

/// What stands in place of a statement's parameters. Values are private: not printable.
#[derive(Clone, Default, PartialEq)]
pub struct Parameters {
    /// Of `?` and `?N`.
    pub positional: Vec<Value>,
    /// Of `:name`, `@name` and `$name`; the name without its sigil.
    pub named: Vec<(String, Value)>,
}

impl Parameters {
    /// Bytes of all values.
    pub fn size(&self) -> u64 {
        let named = self.named.iter().map(|(_, value)| value);
        self.positional.iter().chain(named).map(size_of).sum()
    }
}

impl fmt::Debug for Parameters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Parameters(redacted)")
    }
}

pub(super) fn size_of(value: &Value) -> u64 {
    match value {
        Value::Text(text) => text.len() as u64,
        Value::Blob(bytes) => bytes.len() as u64,
        Value::Null | Value::Integer(_) | Value::Real(_) => 8,
    }
}

/// One statement of SQL, run once with each set of parameters, or once without any.
#[derive(Clone, Default, PartialEq)]
pub struct Statement {
    /// The statement.
    pub sql: String,
    /// What it is run with.
    pub runs: Vec<Parameters>,
}

impl fmt::Debug for Statement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Statement(redacted)")
    }
}

/// Of a statement that is run once, without any.
static NO_PARAMETERS: [Parameters; 1] = [Parameters {
    positional: Vec::new(),
    named: Vec::new(),
}];

impl Statement {
    /// What it is run with, once for each.
    pub(super) fn runs(&self) -> &[Parameters] {
        if self.runs.is_empty() {
            &NO_PARAMETERS
        } else {
            &self.runs
        }
    }

    /// A statement without parameters.
    pub fn new(sql: impl Into<String>) -> Self {
        Self {
            sql: sql.into(),
            runs: Vec::new(),
        }
    }
}

/// What a statement did.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Executed {
    /// Rows inserted, changed or deleted, those of triggers aside.
    pub changes: u64,
    /// Of the newest row inserted through this connection.
    pub last_insert_rowid: i64,
}

/// A column of an answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// As declared; empty for an expression.
    pub declared_type: String,
}

/// Takes the rows of an answer as they come. Answers whether it wants more.
pub trait RowSink {
    /// The columns, before the first row.
    fn columns(&mut self, columns: Vec<Column>) -> ControlFlow<()>;
    /// One row, valid during this call. Never larger than the database's size class. The time this
    /// takes is not counted as the statement's.
    fn row(&mut self, values: &[ValueRef<'_>]) -> ControlFlow<()>;
}

/// Leaves rows unread.
#[derive(Debug, Default, Clone, Copy)]
pub struct NoRows;

impl RowSink for NoRows {
    fn columns(&mut self, _: Vec<Column>) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }

    fn row(&mut self, _: &[ValueRef<'_>]) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}
