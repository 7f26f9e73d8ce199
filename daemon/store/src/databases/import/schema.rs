//! The schema of a database that is taken over, in the order in which its parts can be made.

use std::collections::BTreeSet;

use crate::error::{StoreError, StoreResult};

/// A row of `sqlite_schema`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SchemaEntry {
    /// `table`, `index`, `view` or `trigger`.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// The table it belongs to.
    pub table: String,
    /// The statement that made it; empty for what SQLite made by itself.
    pub sql: String,
}

/// Entries of one schema, at most.
const ENTRIES: usize = 10_000;

/// All entries that were announced.
#[derive(Default)]
pub(super) struct Schema {
    /// Ordinary tables, shadow tables among them.
    pub(super) tables: Vec<SchemaEntry>,
    pub(super) indexes: Vec<SchemaEntry>,
    pub(super) virtual_tables: Vec<SchemaEntry>,
    pub(super) views: Vec<SchemaEntry>,
    pub(super) triggers: Vec<SchemaEntry>,
    count: usize,
}

fn begins_with(text: &str, beginning: &str) -> bool {
    let found = text.get(..beginning.len());
    found.is_some_and(|found| found.eq_ignore_ascii_case(beginning))
}

impl Schema {
    /// Notes an entry. Those that SQLite makes by itself are left to it.
    pub(super) fn add(&mut self, entry: SchemaEntry) -> StoreResult<()> {
        if entry.sql.is_empty() || begins_with(&entry.name, "sqlite_") {
            return Ok(());
        }
        self.count += 1;
        if self.count > ENTRIES {
            let text = format!("a schema of more than {ENTRIES} tables, indexes and the like");
            return Err(StoreError::InvalidArgument(text));
        }
        let list = match entry.kind.as_str() {
            "table" if begins_with(&entry.sql, "create virtual table") => &mut self.virtual_tables,
            "table" => &mut self.tables,
            "index" => &mut self.indexes,
            "view" => &mut self.views,
            "trigger" => &mut self.triggers,
            other => {
                let text = format!("a schema has no `{other}`");
                return Err(StoreError::InvalidArgument(text));
            }
        };
        list.push(entry);
        Ok(())
    }

    /// Whether it has a table of this name with content of its own.
    pub(super) fn has_content(&self, table: &str) -> bool {
        table == "sqlite_sequence" || self.tables.iter().any(|known| known.name == table)
    }

    /// Whether a table is the content of a virtual one, by its name.
    pub(super) fn is_inner(&self, table: &str) -> bool {
        let mut owners = self.virtual_tables.iter();
        owners.any(|owner| {
            let rest = table.strip_prefix(&owner.name);
            rest.is_some_and(|rest| rest.starts_with('_'))
        })
    }

    /// Type, name and table of every entry.
    pub(super) fn names(&self) -> BTreeSet<(String, String, String)> {
        let lists = [
            &self.tables,
            &self.indexes,
            &self.virtual_tables,
            &self.views,
            &self.triggers,
        ];
        let entries = lists.into_iter().flatten();
        let names =
            entries.map(|entry| (entry.kind.clone(), entry.name.clone(), entry.table.clone()));
        names.collect()
    }
}
