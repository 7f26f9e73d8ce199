//! A database under the shell, and the transaction that may be open on it.

use std::time::Duration;

use vault_client::{
    Client, Error, Executed, Parameters, Rows, Transaction, TransactionOptions, Value,
};

use super::{complete::Names, dot};
use crate::{
    context::Context,
    db::{
        cell,
        print::{self, Format},
        split,
        sql::{count_rows, explained, report},
    },
    failure::Failure,
    output,
};

/// Every column of every table and view; those of shadow tables are left out.
const NAMES: &str = "SELECT t.name, c.name FROM pragma_table_list t, pragma_table_xinfo(t.name) c \
                     WHERE t.schema = 'main' AND t.type IN ('table', 'view', 'virtual') \
                     AND c.hidden <> 1 ORDER BY t.name, c.cid";

/// How long a transaction may stay open: the longest that the daemon allows, since people think.
const OPEN: Duration = Duration::from_secs(600);

/// What leads a transaction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Control {
    Begin,
    Commit,
    Rollback,
}

impl Control {
    /// `None` for any other statement, ROLLBACK TO among them.
    fn of(sql: &str) -> Option<Self> {
        let words: Vec<String> = split::words(sql).map(str::to_ascii_uppercase).collect();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        match words.as_slice() {
            // A transaction is what IMMEDIATE asks for, whatever kind is named: it never fails to
            // become a writer later.
            ["BEGIN"]
            | [
                "BEGIN",
                "TRANSACTION" | "DEFERRED" | "IMMEDIATE" | "EXCLUSIVE",
            ]
            | [
                "BEGIN",
                "DEFERRED" | "IMMEDIATE" | "EXCLUSIVE",
                "TRANSACTION",
            ] => Some(Self::Begin),
            ["COMMIT" | "END"] | ["COMMIT" | "END", "TRANSACTION"] => Some(Self::Commit),
            ["ROLLBACK"] | ["ROLLBACK", "TRANSACTION"] => Some(Self::Rollback),
            _ => None,
        }
    }
}

/// Whether a statement can change what tables and columns there are.
fn changes_names(sql: &str) -> bool {
    let first = split::words(sql).next().unwrap_or_default();
    let changes = ["CREATE", "ALTER", "DROP"];
    changes.iter().any(|word| first.eq_ignore_ascii_case(word))
}

/// The state of a shell.
pub(super) struct Session {
    client: Client,
    database: String,
    pub(super) format: Format,
    transaction: Option<Transaction>,
    names_changed: bool,
}

impl Session {
    pub(super) fn new(
        client: Client,
        database: String,
        context: &Context,
    ) -> Result<Self, Failure> {
        Ok(Self {
            client,
            database,
            format: Format::choose(context, false)?,
            transaction: None,
            names_changed: false,
        })
    }

    pub(super) fn prompt(&self) -> String {
        let open = if self.transaction.is_some() { "*" } else { "" };
        format!("{}{open}> ", cell::escaped(&self.database))
    }

    /// Runs what was typed. Answers whether the shell goes on.
    pub(super) async fn run(&mut self, text: &str) -> Result<bool, Failure> {
        let line = text.trim();
        if line.starts_with('.') {
            return dot::run(self, line).await;
        }
        for sql in split::all(text) {
            self.statement(sql).await?;
        }
        Ok(true)
    }

    async fn statement(&mut self, sql: &str) -> Result<(), Failure> {
        self.names_changed |= changes_names(sql);
        let Some(control) = Control::of(sql) else {
            return self.print(sql).await;
        };
        match (control, self.transaction.take()) {
            (Control::Begin, None) => {
                let options = TransactionOptions {
                    timeout: Some(OPEN),
                    ..TransactionOptions::default()
                };
                let transaction = self.client.transaction(&self.database, options).await?;
                self.transaction = Some(transaction);
                Ok(())
            }
            (Control::Begin, open) => {
                self.transaction = open;
                Err(Failure::other("a transaction is open already"))
            }
            (_, None) => Err(Failure::other("no transaction is open")),
            (Control::Commit, Some(transaction)) => Ok(transaction.commit().await?),
            (Control::Rollback, Some(transaction)) => {
                // What was made in it is gone.
                self.names_changed = true;
                Ok(transaction.rollback().await?)
            }
        }
    }

    /// Runs a statement, in the open transaction where there is one, and prints what it returns.
    async fn print(&mut self, sql: &str) -> Result<(), Failure> {
        let format = self.format;
        let query = self.query(sql, Parameters::default()).await;
        let printed = match query {
            Ok(rows) if rows.columns().is_empty() => match rows.end().await {
                Ok(end) => {
                    let done = Executed {
                        changes: end.changes,
                        last_insert_rowid: end.last_insert_rowid,
                    };
                    report(sql, done, format)
                }
                Err(error) => Err(explained(error, sql)),
            },
            Ok(rows) => print::rows(rows, format).await.map(|end| {
                count_rows(end.rows, format);
            }),
            Err(error) => Err(explained(error, sql)),
        };
        printed.map_err(|failure| self.noticed(failure))
    }

    /// Notices where a failure has taken the transaction with it.
    fn noticed(&mut self, failure: Failure) -> Failure {
        if self.transaction.take_if(|open| open.is_over()).is_some() {
            self.names_changed = true;
            return failure.with("the transaction is over, nothing of it was kept");
        }
        failure
    }

    /// Runs a statement, in the open transaction where there is one.
    pub(super) async fn query(
        &mut self,
        sql: &str,
        parameters: Parameters,
    ) -> Result<Rows<'_>, Error> {
        match &mut self.transaction {
            Some(transaction) => transaction.query(sql, parameters).await,
            None => {
                self.client
                    .query(&self.database, sql, parameters, None)
                    .await
            }
        }
    }

    /// What can be completed.
    pub(super) async fn names(&mut self) -> Result<Names, Failure> {
        let mut rows = self.query(NAMES, Parameters::default()).await?;
        let mut names = Names::default();
        while let Some(values) = rows.next_row().await? {
            if let Ok([Value::Text(table), Value::Text(column)]) = <[Value; 2]>::try_from(values) {
                names.add(table, column);
            }
        }
        Ok(names)
    }

    /// Whether tables or columns may have changed since this was last asked.
    pub(super) fn take_changed(&mut self) -> bool {
        std::mem::take(&mut self.names_changed)
    }

    /// Drops the open transaction, whatever runs in it. Answers whether there was one.
    pub(super) fn abandon(&mut self) -> bool {
        self.names_changed = true;
        self.transaction.take().is_some()
    }

    /// Ends: what was not committed is undone, which a script must not take for success.
    pub(super) async fn end(self, interactive: bool) -> Result<(), Failure> {
        let Some(transaction) = self.transaction else {
            return Ok(());
        };
        transaction.rollback().await?;
        let text = "the open transaction was rolled back: COMMIT would have kept it";
        if interactive {
            return output::line(text);
        }
        Err(Failure::other(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transactions_are_led_by_their_words() {
        for (sql, expected) in [
            ("begin", Some(Control::Begin)),
            ("BEGIN IMMEDIATE TRANSACTION", Some(Control::Begin)),
            ("/* now */ commit -- it\n", Some(Control::Commit)),
            ("END TRANSACTION", Some(Control::Commit)),
            ("Rollback", Some(Control::Rollback)),
            ("ROLLBACK TO here", None),
            ("SELECT 'BEGIN'", None),
            ("BEGIN nonsense", None),
        ] {
            assert_eq!(Control::of(sql), expected, "{sql}");
        }
    }

    #[test]
    fn names_change_with_the_schema() {
        assert!(changes_names("create table t (a)"));
        assert!(!changes_names("SELECT 'CREATE'"));
    }
}
