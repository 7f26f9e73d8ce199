//! Rows as they come.

use vault_proto::{
    Rows as Page,
    v1::{self, LongValue, QueryResponse},
};

use super::{transaction::Transaction, value::Value};
use crate::Error;

/// A column of an answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// As declared; empty for an expression.
    pub declared_type: String,
}

/// How an answer ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct RowsEnd {
    /// Rows of the answer.
    pub rows: u64,
    /// Rows inserted, changed or deleted by the statement.
    pub changes: u64,
    /// Of the newest row inserted through the connection that ran it; 0 where none was.
    pub last_insert_rowid: i64,
}

impl From<v1::QueryEnd> for RowsEnd {
    fn from(end: v1::QueryEnd) -> Self {
        Self {
            rows: end.rows,
            changes: end.changes,
            last_insert_rowid: end.last_insert_rowid,
        }
    }
}

/// Where the messages come from.
enum Source<'a> {
    Alone(Box<tonic::Streaming<QueryResponse>>),
    /// A transaction of its own, committed at the end.
    Own(Box<Transaction>),
    Within(&'a mut Transaction),
}

/// The rows of one statement, in memory a message at a time. Dropped before their end, they cancel
/// the statement, unless it runs in a transaction.
pub struct Rows<'a> {
    source: Source<'a>,
    columns: Vec<Column>,
    page: Page,
    end: Option<RowsEnd>,
}

impl Rows<'static> {
    pub(super) async fn alone(stream: tonic::Streaming<QueryResponse>) -> Result<Self, Error> {
        Self::begin(Source::Alone(Box::new(stream))).await
    }

    pub(super) async fn own(transaction: Transaction) -> Result<Self, Error> {
        Self::begin(Source::Own(Box::new(transaction))).await
    }
}

impl<'a> Rows<'a> {
    pub(super) async fn within(transaction: &'a mut Transaction) -> Result<Self, Error> {
        Self::begin(Source::Within(transaction)).await
    }

    /// The first message has the columns.
    async fn begin(source: Source<'a>) -> Result<Self, Error> {
        let mut rows = Self {
            source,
            columns: Vec::new(),
            page: Page::default(),
            end: None,
        };
        let first = rows.message().await?;
        rows.columns = first
            .columns
            .into_iter()
            .map(|column| Column {
                name: column.name,
                declared_type: column.declared_type,
            })
            .collect();
        rows.page = first.rows;
        Ok(rows)
    }

    /// The next message. What it says of the end is noted.
    async fn message(&mut self) -> Result<QueryResponse, Error> {
        let message = match &mut self.source {
            Source::Alone(stream) => stream.message().await?.ok_or_else(incomplete)?,
            Source::Own(transaction) => transaction.rows().await?,
            Source::Within(transaction) => transaction.rows().await?,
        };
        if let Some(end) = message.end {
            match &mut self.source {
                // Only what follows the last message says that the call ended well.
                Source::Alone(stream) => while stream.message().await?.is_some() {},
                Source::Own(transaction) => transaction.end(true).await?,
                Source::Within(_) => {}
            }
            self.end = Some(end.into());
        }
        Ok(message)
    }

    /// The columns; none where the statement has no rows by its nature.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// The next row, one value a column; `None` at the end.
    pub async fn next_row(&mut self) -> Result<Option<Vec<Value>>, Error> {
        loop {
            if let Some(row) = self.page.next_row() {
                let mut values = Vec::with_capacity(self.columns.len());
                let mut long = Vec::new();
                for value in row {
                    let value = Value::received(value.map_err(|_| malformed())?);
                    values.push(value.unwrap_or_else(|announced| {
                        long.push((values.len(), announced));
                        Value::Null
                    }));
                }
                for (index, announced) in long {
                    values[index] = self.long(&announced).await?;
                }
                return Ok(Some(values));
            }
            if self.end.is_some() {
                return Ok(None);
            }
            self.page = self.message().await?.rows;
        }
    }

    /// Reads what is left of the answer, and says how it ended. A statement that writes has done
    /// so durably only once this is said, but for one in a transaction.
    pub async fn end(mut self) -> Result<RowsEnd, Error> {
        loop {
            if let Some(end) = self.end {
                return Ok(end);
            }
            self.message().await?;
        }
    }

    /// Fetches what a long value consists of.
    async fn long(&mut self, long: &LongValue) -> Result<Value, Error> {
        let mut bytes = Vec::new();
        while (bytes.len() as u64) < long.size {
            if self.end.is_some() {
                return Err(incomplete());
            }
            let message = self.message().await?;
            bytes.extend_from_slice(&message.chunk);
            // Rows that come with the last chunk are the next ones.
            self.page.extend(&message.rows);
        }
        if bytes.len() as u64 > long.size {
            return Err(incomplete());
        }
        if !long.text {
            return Ok(Value::Blob(bytes));
        }
        Ok(String::from_utf8(bytes).map_or_else(
            |not_text| Value::InvalidText(not_text.into_bytes()),
            Value::Text,
        ))
    }
}

fn incomplete() -> Error {
    Error::Local("the answer came incomplete".to_owned())
}

fn malformed() -> Error {
    Error::Local("the answer is not what the contract says".to_owned())
}
