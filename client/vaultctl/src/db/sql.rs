//! `vaultctl db sql`.

use std::{
    io::{self, Read as _},
    time::Duration,
};

use vault_client::{Client, Error, Executed, Parameters, Statement, TransactionOptions};

use super::{
    parameter::{self, Parameter},
    print::{self, Format},
    split,
};
use crate::{context::Context, failure::Failure, input, output};

/// What is printed, for `--help`.
const FORMS: &str = "\
Rows are drawn as a table on a terminal. In a pipe they stand one a line under a heading, fields
between tabs, with \\t, \\n, \\r and \\\\ in text, and \\u{...} for other control characters; NULL is
NULL, a BLOB x'..'.
--json prints an object a line. A BLOB is {\"base64\":\"...\"}, TEXT that is not UTF-8
{\"text_base64\":\"...\"}. Integers are whole numbers, to 64 bits. A second column of the same name is
called NAME:1.
--csv prints RFC 4180 with a heading. NULL is an empty field, a BLOB x'..'.";

#[derive(clap::Args, Debug)]
#[command(after_long_help = format!("{}\n\n{FORMS}", parameter::HELP))]
pub(crate) struct Sql {
    /// The database
    name: String,
    /// One statement, or several that run in one transaction; standard input where `-` or nothing
    /// is given
    #[arg(value_name = "SQL")]
    text: Option<String>,
    /// A value for the next `?`, or for :NAME, @NAME, $NAME; see below with --help
    #[arg(
        long = "param",
        value_name = "[NAME=]VALUE",
        value_parser = parameter::parse,
        allow_hyphen_values = true
    )]
    parameters: Vec<Parameter>,
    /// Print CSV with a heading
    #[arg(long)]
    csv: bool,
    /// How long it may take [default: the daemon's]
    #[arg(long, value_name = "SECONDS")]
    timeout: Option<u64>,
}

impl Sql {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        let format = Format::choose(context, self.csv)?;
        let parameters = parameter::collect(self.parameters)?;
        let text = match self.text {
            Some(text) if text != "-" => text,
            _ => stdin()?,
        };
        let statements = split::all(&text);
        let client = context.open().await?;
        let run = Run {
            client: &client,
            database: &self.name,
            timeout: self.timeout.map(Duration::from_secs),
            format,
        };
        match statements.as_slice() {
            [] => Err(Failure::usage("there is no statement")),
            [statement] => run.one(statement, parameters).await,
            _ if !parameters.is_empty() => Err(Failure::usage(
                "--param goes with one statement: there are several",
            )),
            several if several.iter().any(|sql| may_return_rows(sql)) => run.script(several).await,
            several => run.batch(several).await,
        }
    }
}

fn stdin() -> Result<String, Failure> {
    input::take_stdin()?;
    let mut bytes = Vec::new();
    io::stdin().read_to_end(&mut bytes)?;
    String::from_utf8(bytes).map_err(|_| Failure::usage("the SQL is not UTF-8 text"))
}

/// Whether a statement can have rows, as far as its words tell. Where it cannot, nobody need ask.
fn may_return_rows(sql: &str) -> bool {
    let is = |word: &str, other: &str| word.eq_ignore_ascii_case(other);
    let mut words = split::words(sql);
    let first = words.next().unwrap_or_default();
    let reads = ["SELECT", "VALUES", "WITH", "PRAGMA", "EXPLAIN"];
    reads.iter().any(|read| is(first, read)) || words.any(|word| is(word, "RETURNING"))
}

/// What the statements of one call have in common.
struct Run<'a> {
    client: &'a Client,
    database: &'a str,
    timeout: Option<Duration>,
    format: Format,
}

impl Run<'_> {
    async fn one(&self, sql: &str, parameters: Parameters) -> Result<(), Failure> {
        let query = self
            .client
            .query(self.database, sql, parameters, self.timeout);
        let rows = query.await.map_err(|error| explained(error, sql))?;
        if rows.columns().is_empty() {
            let end = rows.end().await.map_err(|error| explained(error, sql))?;
            let done = Executed {
                changes: end.changes,
                last_insert_rowid: end.last_insert_rowid,
            };
            return report(sql, done, self.format);
        }
        let end = print::rows(rows, self.format).await?;
        count_rows(end.rows, self.format);
        Ok(())
    }

    /// Statements without rows, in one call.
    async fn batch(&self, statements: &[&str]) -> Result<(), Failure> {
        let batch = statements.iter().map(|sql| Statement::new(*sql)).collect();
        let batch = self
            .client
            .execute_batch(self.database, batch, self.timeout);
        let done = batch.await?;
        let total = Executed {
            changes: done.iter().map(|done| done.changes).sum(),
            last_insert_rowid: done.last().map_or(0, |done| done.last_insert_rowid),
        };
        match self.format {
            Format::Json | Format::Csv => report("", total, self.format),
            Format::Table | Format::Tabs => output::line(&format!(
                "{} ran, {}",
                output::count(statements.len() as u64, "statement"),
                changed(total.changes)
            )),
        }
    }

    /// Statements of which some have rows, in a transaction.
    async fn script(&self, statements: &[&str]) -> Result<(), Failure> {
        let options = TransactionOptions {
            timeout: self.timeout,
            ..TransactionOptions::default()
        };
        let mut transaction = self.client.transaction(self.database, options).await?;
        for (index, sql) in statements.iter().enumerate() {
            let place = || format!("in statement {}; none of them has any effect", index + 1);
            let explain = |error| explained(error, sql).with(&place());
            let query = transaction.query(sql, Parameters::default());
            let rows = query.await.map_err(explain)?;
            if rows.columns().is_empty() {
                rows.end().await.map_err(explain)?;
            } else {
                let printed = print::rows(rows, self.format).await;
                printed.map_err(|failure| failure.with(&place()))?;
            }
        }
        Ok(transaction.commit().await?)
    }
}

/// Where SQLite stumbled, for a statement of several lines.
pub(super) fn explained(error: Error, sql: &str) -> Failure {
    let offset = match &error {
        Error::Refused(refusal) => refusal.metadata.get("offset"),
        _ => None,
    };
    let offset = offset.and_then(|offset| offset.parse::<usize>().ok());
    let before = offset.and_then(|offset| sql.get(..offset));
    let failure = Failure::from(error);
    match before {
        Some(before) if sql.contains('\n') => {
            let line = before.matches('\n').count() + 1;
            let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
            failure.with(&format!("line {line}, column {column} of the statement"))
        }
        _ => failure,
    }
}

/// Says what a statement without rows did.
pub(super) fn report(sql: &str, done: Executed, format: Format) -> Result<(), Failure> {
    match format {
        Format::Json => output::json(&serde_json::json!({
            "changes": done.changes,
            "last_insert_rowid": done.last_insert_rowid,
        })),
        // Nothing but rows is CSV.
        Format::Csv => Ok(()),
        Format::Table | Format::Tabs => {
            let first = split::words(sql).next().unwrap_or_default();
            let counts = ["INSERT", "UPDATE", "DELETE", "REPLACE", "WITH"];
            let counts = counts.iter().any(|word| first.eq_ignore_ascii_case(word));
            let changed = changed(done.changes);
            output::line(if counts { &changed } else { "done" })
        }
    }
}

fn changed(rows: u64) -> String {
    format!("{} changed", output::count(rows, "row"))
}

/// Says how many rows there were, to the person who sees them drawn.
pub(super) fn count_rows(rows: u64, format: Format) {
    if format == Format::Table {
        eprintln!("{}", output::count(rows, "row"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_that_may_have_rows_are_known_by_their_words() {
        for sql in [
            "select 1",
            "-- why\nSELECT 1",
            "INSERT INTO t VALUES (1) returning id",
            "WITH a AS (SELECT 1) INSERT INTO t SELECT * FROM a",
            "PRAGMA user_version",
        ] {
            assert!(may_return_rows(sql), "{sql}");
        }
        for sql in [
            "INSERT INTO t SELECT 1",
            "INSERT INTO t VALUES ('RETURNING')",
            "CREATE TABLE \"returning\" (a)",
        ] {
            assert!(!may_return_rows(sql), "{sql}");
        }
    }
}
