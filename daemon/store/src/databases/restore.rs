//! The content of a database as a whole, put back from an ordinary SQLite file.

use std::io::Read;

use rusqlite::Connection;
use zeroize::Zeroizing;

use super::{
    Database,
    connection::page_size,
    fault::Place,
    file::NewFile,
    keying::open_keyed,
    plain_form::{self, HEADER, OBJECT, unfit},
    snapshot::DatabaseSnapshot,
};
use crate::{
    error::{StoreError, StoreResult},
    kind::Entry,
};

impl Database {
    /// Makes this the content. Returns whether it was already.
    ///
    /// The pages go into a new file, beside whoever reads and writes. It takes the place of the old
    /// one once `body` has come to its end, and the file was checked; readers of the old content
    /// finish.
    pub(super) fn restore(&self, object: &Entry, body: &mut dyn Read) -> StoreResult<bool> {
        if object.id != OBJECT {
            return Err(unfit(&format!("its object is not called `{OBJECT}`")));
        }
        if self.is_already(object)? {
            return Ok(true);
        }
        let place = self.place();
        let mut new = NewFile::make(&self.context)?;
        write_file(place, &new, object, body)?;
        check_file(place, &new)?;
        new.check(&self.context, place)?;
        let mut turn = self.writer.take_exclusive()?;
        self.put_in_force(&mut turn, new)?;
        self.touch();
        Ok(false)
    }

    fn is_already(&self, object: &Entry) -> StoreResult<bool> {
        let equal = || {
            let now = DatabaseSnapshot::take(self)?;
            Ok(now.size() == object.size && now.sha256()? == object.sha256)
        };
        match equal() {
            // All the more reason to replace it.
            Err(StoreError::Damaged { .. }) => Ok(false),
            equal => equal,
        }
    }
}

/// Writes the pages that come into a new file, under its key.
fn write_file(
    place: Place<'_>,
    new: &NewFile,
    object: &Entry,
    body: &mut dyn Read,
) -> StoreResult<()> {
    let connection = place.own(new.open())?;
    let page_size = place.own(page_size(&connection))?;
    let mut page = Zeroizing::new(vec![0; page_size as usize]);
    if object.size < page.len() as u64 {
        return Err(unfit("it is smaller than a page"));
    }
    let mut fill = |buffer: &mut [u8]| {
        body.read_exact(buffer)
            .map_err(|error| StoreError::of_body(&object.id, error))
    };
    fill(&mut page[..HEADER])?;
    let pages = plain_form::check_header(&page, object.size, page.len())?;
    fill(&mut page[HEADER..])?;
    place.own(connection.execute_batch("BEGIN IMMEDIATE"))?;
    for number in 1..=pages {
        if number > 1 {
            fill(&mut page)?;
        }
        if u64::from(number) != plain_form::lock_page(page.len()) {
            place.own(write_page(&connection, number, &page))?;
        } else if page.iter().any(|byte| *byte != 0) {
            return Err(unfit("there is something in the page that is for locks"));
        }
    }
    // Only at its end is the content known to be right.
    match body.read(&mut [0]) {
        Ok(0) => place.own(connection.execute_batch("COMMIT")),
        Ok(_) => Err(unfit("more follows than its pages")),
        Err(error) => Err(StoreError::of_body(&object.id, error)),
    }
}

fn write_page(connection: &Connection, number: u32, page: &[u8]) -> rusqlite::Result<usize> {
    let insert = "INSERT INTO sqlite_dbpage(pgno, data, schema) VALUES (?1, ?2, 'main')";
    connection.prepare_cached(insert)?.execute((number, page))
}

/// Whether SQLite finds a database in the file.
fn check_file(place: Place<'_>, new: &NewFile) -> StoreResult<()> {
    let check = || {
        let connection = open_keyed(new.path(), new.key(), false)?;
        connection.query_row("PRAGMA quick_check(1)", (), |row| row.get::<_, String>(0))
    };
    match place.own(check()) {
        Ok(found) if found == "ok" => Ok(()),
        Ok(found) => Err(unfit(&format!("its pages contradict each other: {found}"))),
        Err(StoreError::Damaged { detail, .. }) => Err(unfit(&detail)),
        Err(error) => Err(error),
    }
}
