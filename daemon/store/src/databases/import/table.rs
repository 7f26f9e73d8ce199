//! A table whose rows are taken over.

use super::super::figures::quoted;
use crate::error::{StoreError, StoreResult};

/// How the rows of a table are written, and read back in the order in which they were sent.
pub(super) struct Table {
    pub(super) name: String,
    pub(super) insert: String,
    pub(super) select: String,
    /// Values of a row.
    pub(super) values: usize,
    /// Bytes of a row.
    pub(super) limit: u64,
}

impl Table {
    /// A table with these columns, and its rowid before them where that is set.
    pub(super) fn new(
        name: String,
        columns: &[String],
        rowid: bool,
        limit: u64,
    ) -> StoreResult<Self> {
        let rowid = rowid.then(|| rowid_name(&name, columns)).transpose()?;
        let columns = columns.iter().map(|column| quoted(column));
        let columns: Vec<_> = rowid
            .map(str::to_owned)
            .into_iter()
            .chain(columns)
            .collect();
        if columns.is_empty() {
            let text = format!("table `{name}` without columns");
            return Err(StoreError::InvalidArgument(text));
        }
        let (table, list) = (quoted(&name), columns.join(", "));
        let places = vec!["?"; columns.len()].join(", ");
        // No index: the order is that of the table itself.
        let order = rowid.map_or_else(String::new, |rowid| format!(" ORDER BY {rowid}"));
        Ok(Self {
            insert: format!("INSERT INTO {table} ({list}) VALUES ({places})"),
            select: format!("SELECT {list} FROM {table} NOT INDEXED{order}"),
            values: columns.len(),
            name,
            limit,
        })
    }
}

/// A name for the rowid that no column has taken.
fn rowid_name(table: &str, columns: &[String]) -> StoreResult<&'static str> {
    let taken = |name: &str| {
        columns
            .iter()
            .any(|column| column.eq_ignore_ascii_case(name))
    };
    let names = ["rowid", "_rowid_", "oid"];
    names.into_iter().find(|name| !taken(name)).ok_or_else(|| {
        let text = format!("the columns of table `{table}` leave no name for its rowid");
        StoreError::InvalidArgument(text)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_quoted_and_the_rowid_finds_one() {
        let columns = ["a\"b".to_owned(), "ROWID".to_owned()];
        let table = Table::new("t".into(), &columns, true, 1).expect("fine");
        assert_eq!(
            table.insert,
            "INSERT INTO \"t\" (_rowid_, \"a\"\"b\", \"ROWID\") VALUES (?, ?, ?)"
        );
        assert_eq!(
            table.select,
            "SELECT _rowid_, \"a\"\"b\", \"ROWID\" FROM \"t\" NOT INDEXED ORDER BY _rowid_"
        );
        assert!(Table::new("t".into(), &[], false, 1).is_err());
        let all = ["rowid", "oid", "_rowid_"].map(str::to_owned);
        assert!(Table::new("t".into(), &all, true, 1).is_err());
    }
}
