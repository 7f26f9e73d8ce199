//! The source of an import on its way to the daemon.

use std::io;

use sha2::{Digest as _, Sha256};
use tokio::sync::mpsc;
use vault_proto::{
    CHUNK_LIMIT,
    v1::{
        self, ImportDatabaseRequest,
        import_database_request::{End, Part, Rows, SchemaEntry, Start, Table},
    },
};

use super::{DatabasePart, TableDigest};
use crate::databases::value::{Packing, Value};

/// Turns parts into messages, and takes each table's digest on the way.
pub(super) struct Feed {
    requests: mpsc::Sender<ImportDatabaseRequest>,
    page: Vec<v1::Row>,
    page_bytes: usize,
    done: Vec<TableDigest>,
    hash: Sha256,
}

/// The daemon takes no more: the call has ended, and says why.
struct Gone;

impl Feed {
    pub(super) fn new(requests: mpsc::Sender<ImportDatabaseRequest>) -> Self {
        Self {
            requests,
            page: Vec::new(),
            page_bytes: 0,
            done: Vec::new(),
            hash: Sha256::new(),
        }
    }

    async fn send(&self, part: Part) -> Result<(), Gone> {
        let request = ImportDatabaseRequest { part: Some(part) };
        self.requests.send(request).await.map_err(|_| Gone)
    }

    async fn part(&mut self, part: DatabasePart) -> Result<(), Gone> {
        match part {
            DatabasePart::Schema {
                kind,
                name,
                table,
                sql,
            } => {
                let r#type = kind;
                let entry = SchemaEntry {
                    r#type,
                    name,
                    table,
                    sql,
                };
                self.send(Part::Schema(entry)).await
            }
            DatabasePart::Table {
                name,
                columns,
                rowid,
            } => {
                self.end_table().await?;
                let table = Table {
                    name: name.clone(),
                    columns,
                    rowid,
                };
                self.done.push(TableDigest {
                    name,
                    rows: 0,
                    sha256: Vec::new(),
                });
                self.send(Part::Table(table)).await
            }
            DatabasePart::Rows(rows) => {
                for row in rows {
                    self.row(row).await?;
                }
                Ok(())
            }
        }
    }

    async fn row(&mut self, values: Vec<Value>) -> Result<(), Gone> {
        /// A row's frame, at least.
        const FRAME: usize = 8;
        let mut packing = Packing::default();
        let mut row = v1::Row::default();
        self.page_bytes += FRAME;
        for value in values {
            digest(&mut self.hash, &value);
            self.page_bytes += FRAME + value.size();
            row.values.push(packing.pack(value));
        }
        self.page.push(row);
        if let Some(table) = self.done.last_mut() {
            table.rows += 1;
        }
        if !packing.long.is_empty() {
            self.flush().await?;
            for chunk in packing.chunks() {
                self.send(Part::Chunk(chunk)).await?;
            }
        } else if self.page_bytes > CHUNK_LIMIT {
            self.flush().await?;
        }
        Ok(())
    }

    async fn flush(&mut self) -> Result<(), Gone> {
        self.page_bytes = 0;
        let rows = std::mem::take(&mut self.page);
        if rows.is_empty() {
            return Ok(());
        }
        self.send(Part::Rows(Rows { rows })).await
    }

    async fn end_table(&mut self) -> Result<(), Gone> {
        self.flush().await?;
        let sha256 = self.hash.finalize_reset().to_vec();
        if let Some(table) = self.done.last_mut() {
            table.sha256 = sha256;
        }
        Ok(())
    }

    async fn end(&mut self) -> Result<(), Gone> {
        self.end_table().await?;
        let tables = self.done.iter().map(|table| v1::TableDigest {
            name: table.name.clone(),
            rows: table.rows,
            sha256: table.sha256.clone(),
        });
        let tables = tables.collect();
        self.send(Part::End(End { tables })).await
    }

    /// Feeds the whole source. One that fails ends the stream without `End`, so that the daemon
    /// never takes half of it for the whole.
    pub(super) async fn all(
        mut self,
        start: Start,
        mut parts: mpsc::Receiver<io::Result<DatabasePart>>,
    ) -> io::Result<Vec<TableDigest>> {
        let mut fed = self.send(Part::Start(start)).await;
        while fed.is_ok()
            && let Some(part) = parts.recv().await
        {
            fed = self.part(part?).await;
        }
        if fed.is_ok() {
            // Where nobody takes it any more, the call says why.
            let _ = self.end().await;
        }
        Ok(self.done)
    }
}

/// Adds a value to a table's hash, as the contract has it: its class, then the 8 bytes of a number,
/// or the length of what follows.
fn digest(hash: &mut Sha256, value: &Value) {
    let mut bytes = |class: u8, bytes: &[u8]| {
        hash.update([class]);
        hash.update((bytes.len() as u64).to_be_bytes());
        hash.update(bytes);
    };
    match value {
        Value::Text(text) => bytes(3, text.as_bytes()),
        Value::InvalidText(text) => bytes(3, text),
        Value::Blob(blob) => bytes(4, blob),
        Value::Null => hash.update([0]),
        Value::Integer(integer) => {
            hash.update([1]);
            hash.update(integer.to_be_bytes());
        }
        Value::Real(real) => {
            hash.update([2]);
            hash.update(real.to_bits().to_be_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_over_classes_and_lengths() {
        let mut hash = Sha256::new();
        let values = [
            Value::Null,
            Value::Integer(-2),
            Value::Real(0.5),
            Value::from("ab"),
            Value::Blob(vec![9]),
        ];
        for value in &values {
            digest(&mut hash, value);
        }
        let mut bytes = vec![0, 1];
        bytes.extend_from_slice(&[0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFE]);
        bytes.extend_from_slice(&[2, 0x3F, 0xE0, 0, 0, 0, 0, 0, 0]);
        bytes.extend_from_slice(&[3, 0, 0, 0, 0, 0, 0, 0, 2, b'a', b'b']);
        bytes.extend_from_slice(&[4, 0, 0, 0, 0, 0, 0, 0, 1, 9]);
        assert_eq!(hash.finalize(), Sha256::digest(&bytes));
    }

    /// What is sent for rows of the sizes given, as the parts' first letters.
    async fn sent(sizes: &[usize], fails: bool) -> (String, bool) {
        let (requests, mut receiver) = mpsc::channel(64);
        let (sender, parts) = mpsc::channel(64);
        let rows = sizes.iter().map(|size| vec![Value::Blob(vec![0; *size])]);
        let table = DatabasePart::Table {
            name: "t".to_owned(),
            columns: vec!["x".to_owned()],
            rowid: false,
        };
        for part in [table, DatabasePart::Rows(rows.collect())] {
            assert!(sender.send(Ok(part)).await.is_ok(), "room for it");
        }
        if fails {
            let failure = Err(io::Error::other("gone"));
            assert!(sender.send(failure).await.is_ok(), "room for it");
        }
        drop(sender);
        let fed = Feed::new(requests).all(Start::default(), parts).await;
        let mut letters = String::new();
        while let Some(request) = receiver.recv().await {
            letters.push(match request.part {
                Some(Part::Start(_)) => 's',
                Some(Part::Table(_)) => 't',
                Some(Part::Rows(_)) => 'r',
                Some(Part::Chunk(_)) => 'c',
                Some(Part::End(_)) => 'e',
                _ => '?',
            });
        }
        (letters, fed.is_ok())
    }

    #[tokio::test]
    async fn rows_share_messages_and_long_values_follow_theirs() {
        assert_eq!(sent(&[1, 1, 1], false).await, ("stre".to_owned(), true));
        let large = CHUNK_LIMIT;
        assert_eq!(
            sent(&[large, large], false).await,
            ("strre".to_owned(), true)
        );
        assert_eq!(
            sent(&[1, 2 * large, 1], false).await,
            ("strccre".to_owned(), true)
        );
    }

    #[tokio::test]
    async fn a_source_that_fails_is_never_taken_for_the_whole() {
        assert_eq!(sent(&[1], true).await, ("st".to_owned(), false));
    }
}
