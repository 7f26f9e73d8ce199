//! What a client asks of a database, and what it gets back.

use std::{fmt, ops::ControlFlow, time::Duration};

pub use rusqlite::types::{Value, ValueRef};

use crate::error::StoreResult;

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
        let values = self.positional.iter().chain(named);
        values.map(|value| size_of(value.into())).sum()
    }
}

impl fmt::Debug for Parameters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Parameters(redacted)")
    }
}

pub(super) fn size_of(value: ValueRef<'_>) -> u64 {
    match value {
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => bytes.len() as u64,
        ValueRef::Null | ValueRef::Integer(_) | ValueRef::Real(_) => 8,
    }
}

/// The same, borrowed.
#[derive(Clone, Copy, Default)]
pub struct Given<'a> {
    /// Of `?` and `?N`.
    pub positional: &'a [ValueRef<'a>],
    /// Of `:name`, `@name` and `$name`; the name without its sigil, none of them twice.
    pub named: &'a [(&'a str, ValueRef<'a>)],
}

impl Given<'_> {
    /// Bytes of all values.
    pub(super) fn size(&self) -> u64 {
        let named = self.named.iter().map(|(_, value)| value);
        let values = self.positional.iter().chain(named);
        values.map(|value| size_of(*value)).sum()
    }
}

/// Sets of parameters that a statement is run with, one after the other.
pub trait Runs {
    /// Whether there are several.
    fn are_several(&self) -> bool;
    /// Hands each of them to `run`, until it fails.
    fn each(&self, run: &mut dyn FnMut(Given<'_>) -> StoreResult<()>) -> StoreResult<()>;
}

impl Runs for [Parameters] {
    fn are_several(&self) -> bool {
        self.len() > 1
    }

    fn each(&self, run: &mut dyn FnMut(Given<'_>) -> StoreResult<()>) -> StoreResult<()> {
        let (mut positional, mut named) = (Vec::new(), Vec::new());
        for parameters in self {
            positional.clear();
            positional.extend(parameters.positional.iter().map(ValueRef::from));
            named.clear();
            let borrowed = parameters.named.iter();
            named.extend(borrowed.map(|(name, value)| (name.as_str(), ValueRef::from(value))));
            run(Given {
                positional: &positional,
                named: &named,
            })?;
        }
        Ok(())
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
    /// One row, valid during this call. Never larger than the database's size class.
    fn row(&mut self, values: &[ValueRef<'_>]) -> ControlFlow<()>;
    /// How long the last row, or the columns, had to wait for whoever reads them: that is not
    /// counted as the statement's time.
    fn waited(&mut self) -> Duration {
        Duration::ZERO
    }
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
