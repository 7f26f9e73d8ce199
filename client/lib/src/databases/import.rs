//! The import of a database that the client reads.

mod feed;

use std::io;

use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use vault_proto::v1::{
    self, ImportDatabaseResponse, import_database_request::Start,
    import_database_response::Part as Answer,
};

use super::value::Value;
use crate::{Client, Error, SizeClass};
use feed::Feed;

/// A database to take over.
#[derive(Clone, Debug, Default)]
pub struct DatabaseImport {
    /// The name of a database that is not there yet.
    pub name: String,
    /// Its size class.
    pub size_class: SizeClass,
    /// Leave it out of the upkeep that runs by itself.
    pub without_maintenance: bool,
    /// `PRAGMA user_version` of the source.
    pub user_version: i32,
    /// `PRAGMA application_id` of the source.
    pub application_id: i32,
    /// `PRAGMA encoding` of the source.
    pub encoding: String,
}

/// A part of the source, in the order of the variants. Without `Debug`: it holds rows.
pub enum DatabasePart {
    /// A row of `sqlite_schema`. All of them come before the first table.
    Schema {
        /// `table`, `index`, `view` or `trigger`.
        kind: String,
        /// Its name.
        name: String,
        /// The table it belongs to.
        table: String,
        /// The statement that made it.
        sql: String,
    },
    /// Starts the rows of a table.
    Table {
        /// Its name.
        name: String,
        /// In the order of the values that follow.
        columns: Vec<String>,
        /// The rowid stands before them, as one more value.
        rowid: bool,
    },
    /// Rows of that table.
    Rows(Vec<Vec<Value>>),
}

/// What a table holds, as one side read it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableDigest {
    /// Its name.
    pub name: String,
    /// Its rows.
    pub rows: u64,
    /// SHA-256 over them, 32 bytes.
    pub sha256: Vec<u8>,
}

/// How far an import has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DatabaseImportEvent {
    /// Rows so far.
    Rows(u64),
    /// Every table was read back from the database and is equal to what was sent. The last one.
    Done(Vec<TableDigest>),
}

/// An import under way. Dropped, it leaves nothing.
pub struct DatabaseImportStream {
    answers: tonic::Streaming<ImportDatabaseResponse>,
    feeding: tokio::task::JoinHandle<io::Result<Vec<TableDigest>>>,
}

impl DatabaseImportStream {
    /// The next report; `None` at the end. Without `Done` before it, nothing was imported.
    pub async fn next(&mut self) -> Result<Option<DatabaseImportEvent>, Error> {
        loop {
            let message = match self.answers.message().await {
                Ok(message) => message,
                Err(status) => return Err(self.reason(status.into()).await),
            };
            let Some(message) = message else {
                return Ok(None);
            };
            return match message.part {
                Some(Answer::Rows(rows)) => Ok(Some(DatabaseImportEvent::Rows(rows))),
                Some(Answer::Done(done)) => self.done(done.tables).await.map(Some),
                // A part of a later version.
                None => continue,
            };
        }
    }

    /// Where the source could not be read, that is why the call ended.
    async fn reason(&mut self, refused: Error) -> Error {
        if !self.feeding.is_finished() {
            return refused;
        }
        match (&mut self.feeding).await {
            Ok(Err(unreadable)) => Error::Local(unreadable.to_string()),
            _ => refused,
        }
    }

    /// What the daemon read back must be what was sent, whoever compared it before.
    async fn done(&mut self, found: Vec<v1::TableDigest>) -> Result<DatabaseImportEvent, Error> {
        let sent = match (&mut self.feeding).await {
            Ok(Ok(sent)) => sent,
            Ok(Err(unreadable)) => return Err(Error::Local(unreadable.to_string())),
            Err(_) => return Err(Error::Local("the import was given up".to_owned())),
        };
        let found: Vec<TableDigest> = found
            .into_iter()
            .map(|table| TableDigest {
                name: table.name,
                rows: table.rows,
                sha256: table.sha256,
            })
            .collect();
        if found != sent {
            let text = "the daemon read back something else than was sent: keep the source";
            return Err(Error::Local(text.to_owned()));
        }
        Ok(DatabaseImportEvent::Done(found))
    }
}

impl Drop for DatabaseImportStream {
    fn drop(&mut self) {
        self.feeding.abort();
    }
}

impl Client {
    /// Takes over what comes through the channel as a new database. An error in the channel, or the
    /// returned stream dropped, leaves nothing of it.
    pub async fn import_database(
        &self,
        import: DatabaseImport,
        parts: mpsc::Receiver<io::Result<DatabasePart>>,
    ) -> Result<DatabaseImportStream, Error> {
        let (requests, receiver) = mpsc::channel(4);
        let start = Start {
            name: import.name,
            size_class: import.size_class.wire().into(),
            without_maintenance: import.without_maintenance,
            user_version: import.user_version,
            application_id: import.application_id,
            encoding: import.encoding,
        };
        let feeding = tokio::spawn(Feed::new(requests).all(start, parts));
        let mut databases = self.services.databases();
        let call = databases.import(ReceiverStream::new(receiver));
        match call.await {
            Ok(answers) => Ok(DatabaseImportStream {
                answers: answers.into_inner(),
                feeding,
            }),
            Err(status) => {
                feeding.abort();
                Err(status.into())
            }
        }
    }
}
