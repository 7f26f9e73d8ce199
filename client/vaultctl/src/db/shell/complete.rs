//! What the editor completes, and when it takes an entry for complete.

use std::collections::BTreeSet;

use rustyline::{
    Context, Result,
    completion::Completer,
    highlight::Highlighter,
    hint::Hinter,
    validate::{ValidationContext, ValidationResult, Validator},
};

use super::{dot, entry};

/// What a database's tables and columns are called.
#[derive(Default)]
pub(super) struct Names {
    /// Tables and views, each with its columns.
    tables: Vec<(String, Vec<String>)>,
}

impl Names {
    /// Adds a column of a table. Names that a terminal would act on are not completed.
    pub(super) fn add(&mut self, table: String, column: String) {
        if table.chars().chain(column.chars()).any(char::is_control) {
            return;
        }
        match self.tables.last_mut().filter(|last| last.0 == table) {
            Some((_, columns)) => columns.push(column),
            None => self.tables.push((table, vec![column])),
        }
    }

    /// What can stand for the word before the cursor, and where that word begins.
    fn complete(&self, before: &str) -> (usize, Vec<String>) {
        let is_part = |c: char| c.is_alphanumeric() || c == '_' || c == '$';
        let start = before.trim_end_matches(is_part).len();
        let word = before[start..].to_lowercase();
        let line = before[..start].trim_start();
        if line == "." {
            let commands = dot::COMMANDS.iter().map(|command| (*command).to_owned());
            return (
                start,
                commands
                    .filter(|command| command.starts_with(&word))
                    .collect(),
            );
        }
        let of_table = before[..start].strip_suffix('.').map(|before| {
            let table = &before[before.trim_end_matches(is_part).len()..];
            self.tables
                .iter()
                .filter(move |known| known.0.eq_ignore_ascii_case(table))
        });
        let mut found = BTreeSet::new();
        if let Some(tables) = of_table {
            found.extend(tables.flat_map(|table| &table.1));
        } else {
            found.extend(self.tables.iter().map(|table| &table.0));
            found.extend(self.tables.iter().flat_map(|table| &table.1));
        }
        // Nothing typed would list every name there is.
        if word.is_empty() && !before.ends_with('.') {
            found.clear();
        }
        let found = found.into_iter();
        let found = found.filter(|name| name.to_lowercase().starts_with(&word));
        (start, found.map(|name| quoted(name)).collect())
    }
}

/// A name as SQL takes it.
fn quoted(name: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || c == '_';
    if name.chars().all(plain) && !name.starts_with(|c: char| c.is_ascii_digit()) {
        name.to_owned()
    } else {
        format!("\"{}\"", name.replace('"', "\"\""))
    }
}

/// Helps the editor.
#[derive(Default)]
pub(super) struct Helper {
    pub(super) names: Names,
}

impl Completer for Helper {
    type Candidate = String;

    fn complete(&self, line: &str, at: usize, _: &Context<'_>) -> Result<(usize, Vec<String>)> {
        Ok(self.names.complete(&line[..at]))
    }
}

impl Validator for Helper {
    fn validate(&self, context: &mut ValidationContext<'_>) -> Result<ValidationResult> {
        Ok(if entry::is_complete(context.input()) {
            ValidationResult::Valid(None)
        } else {
            ValidationResult::Incomplete
        })
    }
}

impl Hinter for Helper {
    type Hint = String;
}

impl Highlighter for Helper {}

impl rustyline::Helper for Helper {}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Names {
        let mut names = Names::default();
        for (table, column) in [
            ("notes", "id"),
            ("notes", "text"),
            ("notes_fts", "text"),
            ("two words", "x"),
            ("bad\x1b", "x"),
        ] {
            names.add(table.to_owned(), column.to_owned());
        }
        names
    }

    fn complete(before: &str) -> Vec<String> {
        names().complete(before).1
    }

    #[test]
    fn words_become_tables_and_columns() {
        assert_eq!(complete("SELECT * FROM no"), ["notes", "notes_fts"]);
        assert_eq!(complete("select TE"), ["text"]);
        assert_eq!(complete("SELECT notes.i"), ["id"]);
        assert_eq!(complete("SELECT notes."), ["id", "text"]);
        assert_eq!(complete("SELECT * FROM tw"), ["\"two words\""]);
        assert_eq!(names().complete("SELECT * FROM no").0, 14);
        assert!(complete("SELECT ").is_empty());
        assert!(complete("ba").is_empty(), "a name that a terminal acts on");
    }

    #[test]
    fn commands_are_completed_where_they_can_stand() {
        assert_eq!(complete(".ta"), ["tables"]);
        assert_eq!(complete(".schema no"), ["notes", "notes_fts"]);
        assert!(complete("").is_empty());
    }
}
