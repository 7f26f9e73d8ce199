//! Values put in the place of a statement's parameters: exactly those that it has.

use std::collections::HashMap;

use rusqlite::{
    Statement,
    types::{ToSqlOutput, ValueRef},
};

use super::{Given, SqlError};
use crate::error::StoreError;

/// Why values and parameters do not fit.
pub(super) enum Unfit {
    Parameters(SqlError),
    Sqlite(rusqlite::Error),
}

impl Unfit {
    pub(super) fn into_error(
        self,
        sqlite: impl FnOnce(rusqlite::Error) -> StoreError,
    ) -> StoreError {
        match self {
            Self::Parameters(error) => error.into(),
            Self::Sqlite(error) => sqlite(error),
        }
    }
}

impl From<rusqlite::Error> for Unfit {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

fn unfit(message: String) -> Unfit {
    Unfit::Parameters(SqlError::Invalid {
        message,
        offset: None,
    })
}

fn too_many(given: usize, taken: usize) -> Unfit {
    unfit(format!(
        "{given} named values were given, the statement takes {taken}, each once"
    ))
}

/// The parameters of a statement: the name of each, where it has one.
pub(super) struct Wanted(Vec<Option<String>>);

impl Wanted {
    /// Asked once, however often the statement runs.
    pub(super) fn of(statement: &Statement<'_>) -> Self {
        let names = (1..=statement.parameter_count()).map(|index| {
            let name = statement.parameter_name(index);
            let name = name.filter(|name| !name.starts_with('?'));
            name.map(str::to_owned)
        });
        Self(names.collect())
    }

    /// Binds every value, and refuses a parameter without a value and a value without a parameter:
    /// left alone, SQLite takes NULL for the first and forgets the second.
    pub(super) fn bind(
        &self,
        statement: &mut Statement<'_>,
        given: Given<'_>,
    ) -> Result<(), Unfit> {
        let Given { positional, named } = given;
        if named.len() > self.0.len() {
            return Err(too_many(named.len(), self.0.len()));
        }
        // Looked up, not searched: there may be thousands of both.
        let values: HashMap<&str, ValueRef<'_>> = named.iter().copied().collect();
        let mut positions = 0;
        let mut names = 0;
        for (index, name) in self.0.iter().enumerate() {
            let value = if let Some(name) = name {
                names += 1;
                let bare = name.get(1..).unwrap_or_default();
                let found = values.get(bare);
                found.ok_or_else(|| unfit(format!("there is no value for {name}")))?
            } else {
                positions += 1;
                positional.get(positions - 1).ok_or_else(|| {
                    unfit(format!(
                        "there is no value for parameter {positions} without a name"
                    ))
                })?
            };
            statement.raw_bind_parameter(index + 1, ToSqlOutput::Borrowed(*value))?;
        }
        if positions < positional.len() {
            let (given, taken) = (positional.len(), positions);
            return Err(unfit(format!(
                "{given} values without a name were given, the statement takes {taken}"
            )));
        }
        if names < named.len() {
            return Err(too_many(named.len(), names));
        }
        Ok(())
    }
}
