//! What the client of an import sends, put together.

use tonic::Status;
use vault_proto::v1::{
    self, ImportDatabaseRequest, Row,
    import_database_request::{Part, Rows, Table},
};
use vault_store::databases::{SchemaEntry, TableDigest, Value};

use crate::service::{
    databases::{long::Incoming, values},
    out_of_turn,
};

/// A part of a database.
pub(super) enum Piece {
    /// A row of `sqlite_schema`.
    Schema(SchemaEntry),
    /// The rows that follow are of this table.
    Table(Table),
    /// Rows, each value whole.
    Rows(Vec<Vec<Value>>),
    /// What the client read.
    End(Vec<TableDigest>),
}

/// Makes pieces of messages.
pub(super) struct Pieces {
    limit: u64,
    /// Rows whose last one waits for its chunks.
    open: Option<(Vec<Row>, Incoming)>,
}

impl Pieces {
    /// Pieces whose long values are of at most `limit` bytes in one row.
    pub(super) fn new(limit: u64) -> Self {
        Self { limit, open: None }
    }

    /// Takes a message, and returns what it completes: nothing while a row waits for its chunks.
    pub(super) fn take(&mut self, request: ImportDatabaseRequest) -> Result<Option<Piece>, Status> {
        match (request.part, self.open.take()) {
            (Some(Part::Schema(entry)), None) => Ok(Some(Piece::Schema(SchemaEntry {
                kind: entry.r#type,
                name: entry.name,
                table: entry.table,
                sql: entry.sql,
            }))),
            (Some(Part::Table(table)), None) => Ok(Some(Piece::Table(table))),
            (Some(Part::Rows(Rows { rows })), None) => {
                let values = rows.iter().flat_map(|row| &row.values);
                let incoming = Incoming::of(values, self.limit)?;
                self.complete(rows, incoming)
            }
            (Some(Part::Chunk(chunk)), Some((rows, mut incoming))) => {
                incoming.add(&chunk)?;
                self.complete(rows, incoming)
            }
            (Some(Part::End(end)), None) => {
                let tables = end.tables.into_iter().map(digest);
                Ok(Some(Piece::End(tables.collect::<Result<_, _>>()?)))
            }
            (_, Some(_)) => Err(out_of_turn("a row whose chunks did not all come")),
            _ => Err(out_of_turn(
                "after its start come an import's schema, its tables with their rows, and its end",
            )),
        }
    }

    fn complete(&mut self, rows: Vec<Row>, incoming: Incoming) -> Result<Option<Piece>, Status> {
        if !incoming.is_complete() {
            self.open = Some((rows, incoming));
            return Ok(None);
        }
        let mut long = incoming.into_values();
        let rows = rows.into_iter().map(|row| values::row(row, &mut long));
        Ok(Some(Piece::Rows(rows.collect::<Result<_, _>>()?)))
    }
}

fn digest(announced: v1::TableDigest) -> Result<TableDigest, Status> {
    let sha256 = announced.sha256.try_into();
    Ok(TableDigest {
        name: announced.name,
        rows: announced.rows,
        sha256: sha256.map_err(|_| out_of_turn("a table's `sha256` is 32 bytes"))?,
    })
}
