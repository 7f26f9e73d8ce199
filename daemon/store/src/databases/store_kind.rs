//! Databases as a store kind: what rotation, export, doctor and upkeep use.

use std::{
    collections::BTreeSet,
    io::{self, Read},
    ops::ControlFlow,
    sync::Arc,
    time::Duration,
};

use data_encoding::HEXLOWER;
use rusqlite::Connection;
use vault_crypto::KeyId;

use super::{
    Call, Database,
    connection::{Bounded, Purpose},
    fault,
    figures::quoted,
    file,
    head::{self, Head},
    plain_form::{self, CONTENT_TYPE},
    snapshot::DatabaseSnapshot,
};
use crate::{
    blobs::BlobRef,
    catalogue::{BlobColumn, Protection, StoreRecord},
    error::{StoreError, StoreResult},
    id::Revision,
    kind::{
        Amount, Entry, Exported, Quiesced, Report, Snapshot, Store, StoreContext, StoreKind,
        StoreStats, import_each,
    },
    root::DataRoot,
};

/// Bytes of the salt that a database file begins with.
const SALT_LEN: usize = 16;

/// How long the columns that name blobs may be read.
const REFERENCES_TIME: Duration = Duration::from_secs(10 * 60);

/// Makes and opens databases.
#[derive(Debug, Clone, Copy)]
pub struct DatabaseKind;

impl StoreKind for DatabaseKind {
    fn create(&self, context: &StoreContext) -> StoreResult<()> {
        if context.record.protection == Protection::Plain {
            return Err(StoreError::InvalidArgument(
                "a database is always encrypted: leave out `--plain`".to_owned(),
            ));
        }
        if Head::read(context)?.is_some() {
            return Ok(());
        }
        let place = fault::Place {
            name: &context.record.name,
            limit: context.body_limit,
        };
        file::create(context, place)
    }

    fn open(&self, context: StoreContext) -> StoreResult<Arc<dyn Store>> {
        Ok(Database::open(context)?)
    }

    /// SQLite would make files beside the one it opens. That the head can be opened, and that the file
    /// begins as the head says, is what is seen without it; its pages are what a check reads.
    fn examine(&self, context: StoreContext) -> StoreResult<StoreStats> {
        let object = || fault::describe(&context.record.name);
        let head = Head::read(&context)?;
        let head = head.ok_or_else(|| StoreError::damaged(object(), "its head is gone"))?;
        let path = head::folder(&context).join(&head.file);
        let mut beginning = [0; SALT_LEN];
        let file = context.root.fs().open(&path);
        let len = file.and_then(|file| {
            file.read_exact_at(&mut beginning, 0)?;
            file.len()
        });
        let len = len.map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => StoreError::damaged(object(), "its file is gone"),
            io::ErrorKind::UnexpectedEof => StoreError::damaged(object(), "its file is empty"),
            _ => StoreError::io("read", &path, &error),
        })?;
        if HEXLOWER.encode(&beginning) != head.beginning {
            let detail = "its file is of another database";
            return Err(StoreError::damaged(object(), detail));
        }
        Ok(StoreStats {
            objects: 1,
            body_bytes: len,
            revision: Revision(head.generation.0),
            ..StoreStats::default()
        })
    }

    fn remove_files(&self, root: &DataRoot, record: &StoreRecord) {
        let fs = root.fs();
        let folder = root.store(record.id);
        for (name, _) in fs.read_dir(&folder).unwrap_or_default() {
            let _ = fs.remove_file(&folder.join(name));
        }
        let _ = fs.remove_dir(&folder);
    }

    fn check_import(
        &self,
        protection: Protection,
        id: &str,
        metadata: &[u8],
    ) -> StoreResult<String> {
        plain_form::check_import(protection, id, metadata)
    }

    fn streams(&self) -> bool {
        true
    }
}

impl Database {
    fn outdated_key(&self) -> StoreResult<Option<KeyId>> {
        let used = self.generation()?.head.key_id;
        let ring = self.context.keys.ring();
        let (current, _) = ring.current()?;
        Ok((used != current).then_some(used))
    }

    /// A view or a virtual table would run what a client wrote, where no policy looks. To pass over
    /// it would let blobs be taken for unused.
    fn must_be_ordinary(&self, own: &Bounded, table: &str) -> StoreResult<()> {
        let of_it = "SELECT count(*) FROM pragma_table_list(?1)
                     WHERE schema = 'main' AND type <> 'table'";
        let other = own.connection.query_row(of_it, [table], |row| row.get(0));
        let other: i64 = self.place().own(other)?;
        if other == 0 {
            return Ok(());
        }
        Err(StoreError::InvalidArgument(format!(
            "`{table}` of {} is said to name blobs and is no ordinary table: name the table that \
             holds the references",
            self.place().object()
        )))
    }

    fn amount(&self) -> StoreResult<Amount> {
        Ok(Amount {
            objects: 1,
            bytes: self.bytes()?,
        })
    }
}

/// What a statement answers that is well-formed text.
fn texts(connection: &Connection, select: &str) -> rusqlite::Result<Vec<String>> {
    let mut statement = connection.prepare(select)?;
    let mut rows = statement.query(())?;
    let mut texts = Vec::new();
    while let Some(row) = rows.next()? {
        texts.extend(row.get_ref(0)?.as_str().ok().map(str::to_owned));
    }
    Ok(texts)
}

impl Database {
    /// The texts that stand in these columns.
    fn texts_in(&self, columns: &[BlobColumn]) -> StoreResult<BTreeSet<String>> {
        let own = self.generation()?.connect(Purpose::Own, self.place())?;
        let call = Call::within(REFERENCES_TIME);
        let _working = own.watch.begin(&call, &own.connection);
        let mut refs = BTreeSet::new();
        for column in columns {
            self.must_be_ordinary(&own, &column.table)?;
            let there = "SELECT count(*) FROM pragma_table_xinfo(?1) WHERE name = ?2";
            let names = (&column.table, &column.column);
            let there: i64 = self
                .place()
                .own(own.connection.query_row(there, names, |row| row.get(0)))?;
            if there == 0 {
                // The schema is not that far, or not that old.
                continue;
            }
            let (table, column) = (quoted(&column.table), quoted(&column.column));
            // Whatever is no text names no blob.
            let select = format!(
                "SELECT DISTINCT {column} FROM {table} NOT INDEXED WHERE typeof({column}) = 'text'"
            );
            let found = texts(&own.connection, &select);
            refs.extend(self.place().client(found, &own, &call.stop)?);
        }
        Ok(refs)
    }
}

impl Store for Database {
    fn close(&self) {
        self.close_all();
    }

    fn quiesce(&self) -> Quiesced<'_> {
        Quiesced {
            _guard: Box::new(self.writer.take_exclusive()),
        }
    }

    fn snapshot(&self) -> StoreResult<Box<dyn Snapshot>> {
        Ok(Box::new(DatabaseSnapshot::take(self)?))
    }

    fn import_one(&self, object: Exported) -> StoreResult<()> {
        self.import(vec![object]).map(|_| ())
    }

    fn import(&self, objects: Vec<Exported>) -> StoreResult<u64> {
        import_each(self, CONTENT_TYPE, objects)
    }

    fn import_stream(&self, object: Entry, body: &mut dyn Read) -> StoreResult<bool> {
        self.restore(&object, body)
    }

    fn outdated(&self) -> StoreResult<Amount> {
        match self.outdated_key()? {
            Some(_) => self.amount(),
            None => Ok(Amount::default()),
        }
    }

    fn reencrypt(&self, report: &mut Report<'_>) -> StoreResult<ControlFlow<()>> {
        if self.outdated_key()?.is_none() {
            return Ok(ControlFlow::Continue(()));
        }
        if report(Amount::default()).is_break() {
            return Ok(ControlFlow::Break(()));
        }
        let amount = self.amount()?;
        let mut turn = self.writer.take_exclusive()?;
        let mut go_on = || report(Amount::default()).is_continue();
        let replaced = match self.rekey(&mut turn, &mut go_on) {
            // Left as it is, under the key that it has.
            Err(StoreError::Damaged { object, detail }) => {
                tracing::error!(object, detail, "not sealed anew");
                return Ok(ControlFlow::Continue(()));
            }
            replaced => replaced?,
        };
        drop(turn);
        if !replaced {
            return Ok(ControlFlow::Break(()));
        }
        Ok(report(amount))
    }

    fn verify(&self, report: &mut Report<'_>) -> StoreResult<ControlFlow<()>> {
        if self.generation()?.is_read_back() {
            // When it was made, before it was put in force.
            return Ok(report(self.amount()?));
        }
        match self.verify_all_pages() {
            Ok(bytes) => Ok(report(Amount { objects: 1, bytes })),
            Err(StoreError::Damaged { object, detail }) => {
                tracing::error!(object, detail, "damaged");
                Ok(ControlFlow::Continue(()))
            }
            Err(error) => Err(error),
        }
    }

    fn older_keys_in_use(&self) -> StoreResult<BTreeSet<KeyId>> {
        // A head in doubt may name the file before. Nobody may be about to name another one.
        let _turn = self.writer.take_exclusive()?;
        self.settle()?;
        Ok(self.outdated_key()?.into_iter().collect())
    }

    fn verify_one(&self, _: &str) -> StoreResult<()> {
        self.verify_all_pages().map(|_| ())
    }

    fn references(&self) -> StoreResult<Vec<String>> {
        let columns = self.record().database.blob_columns;
        Ok(self.texts_in(&columns)?.into_iter().collect())
    }

    fn naming(&self, reference: &BlobRef) -> StoreResult<Option<String>> {
        let (record, text) = (self.record(), reference.to_string());
        for column in record.database.blob_columns {
            if self
                .texts_in(std::slice::from_ref(&column))?
                .contains(&text)
            {
                let BlobColumn { table, column } = column;
                let column = format!("column `{table}.{column}` of database `{}`", record.name);
                return Ok(Some(column));
            }
        }
        Ok(None)
    }
    fn stats(&self) -> StoreResult<StoreStats> {
        Ok(StoreStats {
            objects: 1,
            body_bytes: self.bytes()?,
            revision: Revision(self.generation()?.head.generation.0),
            awaiting_migration: 0,
            damaged: 0,
        })
    }
}
