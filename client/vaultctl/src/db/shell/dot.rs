//! Commands of the shell itself.

use vault_client::{Parameters, Value};

use super::{HELP, session::Session};
use crate::{
    db::{cell, print::Format},
    failure::Failure,
    output,
};

/// Their names, without the `.`.
pub(super) const COMMANDS: &[&str] = &["help", "mode", "quit", "schema", "tables"];

/// Without the shadow tables of virtual ones, which are no concern of whoever looks for tables.
const TABLES: &str = "SELECT name FROM pragma_table_list WHERE schema = 'main' \
                      AND type IN ('table', 'view', 'virtual') \
                      AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name";

const SCHEMA: &str = "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL \
                      AND (?1 IS NULL OR tbl_name = ?1 COLLATE NOCASE OR name = ?1 COLLATE NOCASE) \
                      ORDER BY rowid";

/// Runs a command. Answers whether the shell goes on.
pub(super) async fn run(session: &mut Session, line: &str) -> Result<bool, Failure> {
    let mut words = line.split_whitespace();
    let command = words.next().unwrap_or_default();
    let argument = words.next();
    if words.next().is_some() {
        return Err(Failure::usage(format!("{command} takes one name")));
    }
    match (command, argument) {
        (".quit" | ".exit", None) => return Ok(false),
        (".help", None) => output::line(HELP)?,
        (".tables", None) => texts(session, TABLES, Parameters::default(), "").await?,
        (".schema", table) => {
            let table = Value::from(table.map(str::to_owned));
            texts(session, SCHEMA, Parameters::positional([table]), ";").await?;
        }
        (".mode", None) => output::line(session.format.name())?,
        (".mode", Some(mode)) => {
            session.format = Format::named(mode)
                .ok_or_else(|| Failure::usage(".mode is table, tabs, json or csv"))?;
        }
        _ => {
            let shown = cell::escaped(line.trim());
            return Err(Failure::usage(format!(
                "{shown}: `.help` lists the commands"
            )));
        }
    }
    Ok(true)
}

/// Prints the one column of an answer, each text with `end` after it.
async fn texts(
    session: &mut Session,
    sql: &str,
    parameters: Parameters,
    end: &str,
) -> Result<(), Failure> {
    let mut rows = session.query(sql, parameters).await?;
    while let Some(values) = rows.next_row().await? {
        if let Some(Value::Text(text)) = values.first() {
            // Statements keep the lines they were written in.
            let lines: Vec<String> = text.lines().map(cell::escaped).collect();
            output::line(&format!("{}{end}", lines.join("\n")))?;
        }
    }
    Ok(())
}
