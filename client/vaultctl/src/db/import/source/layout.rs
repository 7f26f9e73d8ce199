//! Which tables of a database have content of their own, and how to read it whole.

use std::collections::BTreeSet;

use rusqlite::{Connection, Result};

/// A table with content of its own: an ordinary one, a shadow table of a virtual one, or one of
/// SQLite's.
pub(super) struct Table {
    pub(super) name: String,
    /// The columns that are stored: generated ones are computed anew.
    pub(super) columns: Vec<String>,
    /// What the rowid is called, where it is not one of the columns and matters nevertheless.
    pub(super) rowid: Option<&'static str>,
}

impl Table {
    /// Reads every row in the order of the table's own tree: an index could give another.
    pub(super) fn select(&self) -> String {
        let columns: Vec<String> = self.columns.iter().map(|name| quoted(name)).collect();
        let rowid = self
            .rowid
            .map(|name| format!("{name}, "))
            .unwrap_or_default();
        let name = quoted(&self.name);
        format!(
            "SELECT {rowid}{} FROM main.{name} NOT INDEXED",
            columns.join(", ")
        )
    }

    pub(super) fn count(&self) -> String {
        format!("SELECT count(*) FROM main.{}", quoted(&self.name))
    }
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// The rows of a pragma that names something, by SQLite's table-valued form.
fn pragma<T>(
    connection: &Connection,
    sql: &str,
    argument: &str,
    read: impl Fn(&rusqlite::Row<'_>) -> Result<T>,
) -> Result<Vec<T>> {
    let mut statement = connection.prepare(sql)?;
    statement.query_map([argument], read)?.collect()
}

/// Every table with content of its own, in the order it was made.
pub(super) fn tables(connection: &Connection) -> Result<Vec<Table>> {
    // A virtual table has no page of its own; what it holds is in its shadow tables. The figures of
    // ANALYZE are left out: upkeep makes them anew.
    let sql = "SELECT s.name, l.wr FROM sqlite_schema s \
               JOIN pragma_table_list l ON l.schema = ?1 AND l.name = s.name \
               WHERE s.type = 'table' AND s.rootpage > 0 \
               AND s.name NOT LIKE 'sqlite\\_stat%' ESCAPE '\\' ORDER BY s.rowid";
    let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
    let found: Vec<(String, bool)> = pragma(connection, sql, "main", read)?;
    found
        .into_iter()
        .map(|(name, without_rowid)| table(connection, name, without_rowid))
        .collect()
}

/// A column, as `PRAGMA table_xinfo` has it.
struct ColumnInfo {
    name: String,
    declared_type: String,
    primary_key: u32,
    hidden: u32,
}

fn table(connection: &Connection, name: String, without_rowid: bool) -> Result<Table> {
    let sql = "SELECT name, type, pk, hidden FROM pragma_table_xinfo(?1) ORDER BY cid";
    let columns = pragma(connection, sql, &name, |row| {
        Ok(ColumnInfo {
            name: row.get(0)?,
            declared_type: row.get(1)?,
            primary_key: row.get(2)?,
            hidden: row.get(3)?,
        })
    })?;
    let rowid = if without_rowid || stands_for_rowid(connection, &name, &columns)? {
        None
    } else {
        // A column may have taken one of its names. Where all are taken nothing can refer to it,
        // and so it need not be kept.
        let taken = |name: &str| columns.iter().any(|it| it.name.eq_ignore_ascii_case(name));
        ["rowid", "_rowid_", "oid"]
            .into_iter()
            .find(|name| !taken(name))
    };
    let stored = columns.into_iter().filter(|column| column.hidden == 0);
    let columns = stored.map(|column| column.name).collect();
    Ok(Table {
        name,
        columns,
        rowid,
    })
}

/// Whether one of the columns is the rowid: an INTEGER PRIMARY KEY without an index of its own,
/// which one that was declared DESC has.
fn stands_for_rowid(connection: &Connection, table: &str, columns: &[ColumnInfo]) -> Result<bool> {
    let mut keys = columns.iter().filter(|column| column.primary_key > 0);
    let (Some(key), None) = (keys.next(), keys.next()) else {
        return Ok(false);
    };
    if !key.declared_type.eq_ignore_ascii_case("INTEGER") {
        return Ok(false);
    }
    let sql = "SELECT origin FROM pragma_index_list(?1)";
    let origins: Vec<String> = pragma(connection, sql, table, |row| row.get(0))?;
    Ok(!origins.iter().any(|origin| origin == "pk"))
}

/// An index ordered by a collation that SQLite itself does not have, and that collation.
pub(super) fn foreign_collation(
    connection: &Connection,
    tables: &[Table],
) -> Result<Option<(String, String)>> {
    let mut known = connection.prepare("SELECT name FROM pragma_collation_list")?;
    let known = known.query_map([], |row| row.get::<_, String>(0))?;
    let known: BTreeSet<String> = known
        .map(|name| name.map(|name| name.to_ascii_uppercase()))
        .collect::<Result<_>>()?;
    let sql = "SELECT i.name, c.coll FROM pragma_index_list(?1) i, pragma_index_xinfo(i.name) c";
    for table in tables {
        let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
        let used: Vec<(String, Option<String>)> = pragma(connection, sql, &table.name, read)?;
        for (index, collation) in used {
            if let Some(collation) = collation
                && !known.contains(&collation.to_ascii_uppercase())
            {
                return Ok(Some((index, collation)));
            }
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn database(sql: &str) -> Connection {
        let connection = Connection::open_in_memory().expect("a database");
        connection.execute_batch(sql).expect("well formed");
        connection
    }

    /// Name, columns and rowid of each table.
    fn found(sql: &str) -> Vec<(String, String, Option<&'static str>)> {
        let tables = tables(&database(sql)).expect("readable");
        let found = tables.into_iter();
        found
            .map(|table| (table.name, table.columns.join(","), table.rowid))
            .collect()
    }

    fn one(sql: &str) -> (String, Option<&'static str>) {
        let (_, columns, rowid) = found(sql).remove(0);
        (columns, rowid)
    }

    #[test]
    fn the_rowid_travels_where_no_column_stands_for_it() {
        for (sql, columns, rowid) in [
            ("CREATE TABLE t (a)", "a", Some("rowid")),
            ("CREATE TABLE t (a INTEGER PRIMARY KEY, b)", "a,b", None),
            ("CREATE TABLE t (a INT PRIMARY KEY)", "a", Some("rowid")),
            (
                "CREATE TABLE t (a INTEGER PRIMARY KEY DESC)",
                "a",
                Some("rowid"),
            ),
            (
                "CREATE TABLE t (a INTEGER, b, PRIMARY KEY (a, b))",
                "a,b",
                Some("rowid"),
            ),
            ("CREATE TABLE t (a PRIMARY KEY) WITHOUT ROWID", "a", None),
            ("CREATE TABLE t (RowId)", "RowId", Some("_rowid_")),
            (
                "CREATE TABLE t (rowid, _rowid_)",
                "rowid,_rowid_",
                Some("oid"),
            ),
            (
                "CREATE TABLE t (rowid, _rowid_, oid)",
                "rowid,_rowid_,oid",
                None,
            ),
            (
                "CREATE TABLE t (a, b AS (a), c AS (a) STORED, d)",
                "a,d",
                Some("rowid"),
            ),
        ] {
            assert_eq!(one(sql), (columns.to_owned(), rowid), "{sql}");
        }
    }

    #[test]
    fn tables_with_content_are_those_with_pages() {
        let names =
            |sql: &str| -> Vec<String> { found(sql).into_iter().map(|table| table.0).collect() };
        assert_eq!(
            names(
                "CREATE TABLE t (a INTEGER PRIMARY KEY AUTOINCREMENT); CREATE VIEW v AS SELECT 1; ANALYZE"
            ),
            ["t", "sqlite_sequence"]
        );
        let shadows = names("CREATE VIRTUAL TABLE f USING fts5(a)");
        assert!(shadows.contains(&"f_data".to_owned()) && !shadows.contains(&"f".to_owned()));
    }

    #[test]
    fn names_are_quoted() {
        let connection = database("CREATE TABLE \"a\"\"b\" (\"select\", [x y])");
        let table = tables(&connection).expect("readable").remove(0);
        assert!(connection.prepare(&table.select()).is_ok());
        assert!(connection.prepare(&table.count()).is_ok());
    }

    #[test]
    fn rows_come_in_the_order_of_the_table() {
        let connection = database(
            "CREATE TABLE t (a); CREATE INDEX i ON t (a); INSERT INTO t VALUES (3), (1), (2)",
        );
        let table = tables(&connection).expect("readable").remove(0);
        let mut statement = connection.prepare(&table.select()).expect("well formed");
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)));
        let rows: Result<Vec<(i64, i64)>> = rows.expect("runs").collect();
        assert_eq!(rows.expect("readable"), [(1, 3), (2, 1), (3, 2)]);
    }

    #[test]
    fn a_collation_of_another_program_is_found() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("source");
        let connection = Connection::open(&path).expect("a database");
        // As if a program that has the collation had made the index.
        let sql = "CREATE TABLE t (a COLLATE NOCASE, b); CREATE INDEX good ON t (a); \
                   CREATE INDEX bad ON t (b); PRAGMA writable_schema = ON; \
                   UPDATE sqlite_schema SET sql = 'CREATE INDEX bad ON t (b COLLATE of_mine)' \
                   WHERE name = 'bad'";
        connection.execute_batch(sql).expect("well formed");
        drop(connection);
        let connection = Connection::open(&path).expect("a database");
        let tables = tables(&connection).expect("readable");
        let foreign = foreign_collation(&connection, &tables).expect("readable");
        assert_eq!(foreign, Some(("bad".to_owned(), "of_mine".to_owned())));
    }
}
