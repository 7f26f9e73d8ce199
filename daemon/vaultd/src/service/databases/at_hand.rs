//! Small answers to statements that read: made where the call is, and sent as one message.
//!
//! To hand a select of one row to another thread and to wait for it costs several times what the
//! select does. Here it is tried on the spot, on a thread that tokio has been told may block, for no
//! longer than an eye would notice; whatever takes more time or more room begins anew on a thread of
//! its own, where it can be cancelled and streamed.

use std::{ops::ControlFlow, time::Duration};

use vault_proto::v1::{self, QueryEnd, QueryResponse};
use vault_store::{
    StoreError, StoreName, StoreResult,
    databases::{Call, Column, Database, Executed, Parameters, RowSink, SqlError, Stop, ValueRef},
};

use super::{rows, values};
use crate::keeper::Keeper;

/// How long it is tried.
const TRIED: Duration = Duration::from_millis(2);
/// Bytes of an answer that is small.
const SMALL: usize = 32 << 10;
/// Bytes that a row, a value or a column takes besides its content, about.
const FRAME: usize = 12;

/// The answer to a statement that reads, where it is small and soon had; `None` decides nothing.
pub(super) fn query(
    keeper: &Keeper,
    database: &StoreName,
    sql: &str,
    parameters: &Parameters,
) -> StoreResult<Option<QueryResponse>> {
    let Some(vault) = keeper.vault_if_open() else {
        return Ok(None);
    };
    tokio::task::block_in_place(|| match vault.database_if_open(database) {
        Some(database) => try_at(&database, sql, parameters),
        None => Ok(None),
    })
}

fn try_at(
    database: &Database,
    sql: &str,
    parameters: &Parameters,
) -> StoreResult<Option<QueryResponse>> {
    let call = Call {
        stop: Stop::new(),
        wait: Duration::ZERO,
        work: TRIED,
    };
    let mut answer = Small::default();
    match database.query_if_it_reads(&call, sql, parameters, &mut answer) {
        Ok(Some(executed)) => Ok(Some(answer.finish(executed))),
        Ok(None) => Ok(None),
        Err(StoreError::Sql(SqlError::OverBudget(_) | SqlError::Busy | SqlError::Cancelled)) => {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// Keeps rows as long as they are few.
#[derive(Default)]
struct Small {
    message: QueryResponse,
    bytes: usize,
}

impl Small {
    fn finish(mut self, executed: Executed) -> QueryResponse {
        self.message.end = Some(QueryEnd {
            rows: self.message.rows.len() as u64,
            changes: executed.changes,
            last_insert_rowid: executed.last_insert_rowid,
        });
        self.message
    }

    fn add(&mut self, bytes: usize) -> ControlFlow<()> {
        self.bytes += bytes + FRAME;
        if self.bytes > SMALL {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    }
}

impl RowSink for Small {
    fn columns(&mut self, columns: Vec<Column>) -> ControlFlow<()> {
        for column in columns {
            self.add(column.name.len() + column.declared_type.len())?;
            self.message.columns.push(v1::Column {
                name: column.name,
                declared_type: column.declared_type,
            });
        }
        ControlFlow::Continue(())
    }

    fn row(&mut self, row: &[ValueRef<'_>]) -> ControlFlow<()> {
        for value in row {
            self.add(match value {
                ValueRef::Text(bytes) | ValueRef::Blob(bytes) => bytes.len(),
                ValueRef::Null | ValueRef::Integer(_) | ValueRef::Real(_) => 0,
            })?;
        }
        rows::push(&mut self.message.rows, row, values::wire);
        self.add(0)
    }
}
