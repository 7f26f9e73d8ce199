//! Statements, and what they did.

use std::time::Duration;

use bytes::Bytes;
use vault_proto::{ParametersRef, StatementWriter, v1};

use super::value::Parameters;

/// More than a statement's own frame takes, in bytes.
const FRAME: usize = 32;

/// One statement of SQL. Without `Debug`: it may hold values.
#[derive(Clone, PartialEq, Default)]
pub struct Statement {
    /// The statement. A `;` may end it.
    pub sql: String,
    /// Runs once with each; once without any where there is none.
    pub runs: Vec<Parameters>,
}

impl Statement {
    /// A statement without parameters.
    pub fn new(sql: impl Into<String>) -> Self {
        Self {
            sql: sql.into(),
            runs: Vec::new(),
        }
    }

    /// One more run, with these.
    #[must_use]
    pub fn with(mut self, parameters: Parameters) -> Self {
        self.runs.push(parameters);
        self
    }

    /// Bytes it takes in a message.
    pub(crate) fn size(&self) -> usize {
        self.sql.len() + self.runs.iter().map(Parameters::size).sum::<usize>()
    }

    /// As the wire has it, where it is a message of its own.
    pub(crate) fn encoded(&self) -> Bytes {
        let mut writer = StatementWriter::new(&self.sql, self.size() + FRAME);
        let mut parameters = ParametersRef::default();
        for run in &self.runs {
            run.borrow_in(&mut parameters);
            writer.run(&parameters);
        }
        writer.finish()
    }

    pub(crate) fn wire(self) -> v1::Statement {
        v1::Statement {
            sql: self.sql,
            runs: self.runs.into_iter().map(Parameters::wire).collect(),
        }
    }
}

impl From<&str> for Statement {
    fn from(sql: &str) -> Self {
        Self::new(sql)
    }
}

/// What a statement did.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Executed {
    /// Rows inserted, changed or deleted, those of triggers aside.
    pub changes: u64,
    /// Of the newest row inserted through the connection that ran it; 0 where none was.
    pub last_insert_rowid: i64,
}

impl From<v1::ExecuteResponse> for Executed {
    fn from(executed: v1::ExecuteResponse) -> Self {
        Self {
            changes: executed.changes,
            last_insert_rowid: executed.last_insert_rowid,
        }
    }
}

/// Milliseconds as the wire has them: 0 for the daemon's default.
pub(crate) fn timeout(wanted: Option<Duration>) -> u32 {
    let ms = wanted.map_or(0, |wanted| wanted.as_millis().max(1));
    u32::try_from(ms).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeout_is_never_taken_for_the_default() {
        assert_eq!(timeout(None), 0);
        assert_eq!(timeout(Some(Duration::ZERO)), 1);
        assert_eq!(timeout(Some(Duration::from_secs(2))), 2000);
        assert_eq!(timeout(Some(Duration::MAX)), u32::MAX);
    }
}
