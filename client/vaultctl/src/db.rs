//! `vaultctl db ...`.

mod backup;
mod cell;
mod check;
mod import;
mod parameter;
mod print;
mod shell;
mod split;
mod sql;
mod stats;
mod table;

use vault_client::DatabaseOptions;

use crate::{context::Context, failure::Failure, output, prompt, store::Class};

#[derive(clap::Subcommand, Debug)]
pub(crate) enum Db {
    /// Create a database
    Create(Create),
    /// List databases
    Ls,
    /// Delete a database and everything in it
    Drop(Remove),
    /// Run SQL
    Sql(sql::Sql),
    /// Type SQL at a prompt
    Shell(shell::Shell),
    /// Take over a plain SQLite database: schema, rows, indexes, triggers, full-text tables
    Import(import::Import),
    /// Check every page, SQLite's structures, foreign keys and full-text indexes
    Check(check::Check),
    /// Write one database to a sealed file; `vaultctl restore --merge FILE` puts it back
    Backup(backup::Backup),
    /// Show what a database holds and takes
    Stats(stats::Stats),
}

#[derive(clap::Args, Debug)]
pub(crate) struct Create {
    /// Its name, a path such as chat/history
    name: String,
    /// Largest row, value and set of parameters
    #[arg(long, value_enum, default_value_t = Class::Chat)]
    class: Class,
    /// Leave it out of the upkeep that runs by itself
    #[arg(long)]
    no_maintenance: bool,
}

#[derive(clap::Args, Debug)]
pub(crate) struct Remove {
    /// The database
    name: String,
    /// Do not ask
    #[arg(long)]
    yes: bool,
}

impl Db {
    pub(crate) async fn run(self, context: &Context) -> Result<(), Failure> {
        match self {
            Self::Create(create) => create.run(context).await,
            Self::Ls => list(context).await,
            Self::Drop(remove) => remove.run(context).await,
            Self::Sql(sql) => sql.run(context).await,
            Self::Shell(shell) => shell.run(context).await,
            Self::Import(import) => import.run(context).await,
            Self::Check(check) => check.run(context).await,
            Self::Backup(backup) => backup.run(context).await,
            Self::Stats(stats) => stats.run(context).await,
        }
    }
}

impl Create {
    async fn run(self, context: &Context) -> Result<(), Failure> {
        let client = context.open().await?;
        let options = DatabaseOptions {
            size_class: self.class.into(),
            without_maintenance: self.no_maintenance,
            ..DatabaseOptions::default()
        };
        let store = client.create_database(&self.name, options).await?;
        if context.json() {
            return output::json(&serde_json::json!({ "name": store.name }));
        }
        output::line(&format!("created {}", store.name))
    }
}

async fn list(context: &Context) -> Result<(), Failure> {
    let databases = context.open().await?.databases().await?;
    if context.json() {
        for database in &databases {
            output::json(&stats::as_json(database))?;
        }
        return Ok(());
    }
    let rows: Vec<Vec<String>> = databases
        .iter()
        .map(|database| {
            let mut notes = Vec::new();
            if database.without_maintenance {
                notes.push("no upkeep".to_owned());
            }
            if !database.damaged.is_empty() {
                notes.push(format!("DAMAGED: {}", output::printable(&database.damaged)));
            }
            vec![
                database.name.clone(),
                database.size_class.as_str().to_owned(),
                output::size(database.bytes),
                notes.join(", "),
            ]
        })
        .collect();
    output::table(&["DATABASE", "CLASS", "SIZE", "NOTES"], &rows)
}

impl Remove {
    async fn run(self, context: &Context) -> Result<(), Failure> {
        let client = context.open().await?;
        if !self.yes {
            let databases = client.databases().await?;
            let found = databases.iter().find(|one| one.name == self.name);
            // Where there is none, the daemon says so.
            if let Some(database) = found {
                let size = output::size(database.bytes);
                let question = format!("Delete database {} with all its {size}?", self.name);
                prompt::confirm(&question, "nothing was deleted")?;
            }
        }
        client.drop_database(&self.name).await?;
        if context.json() {
            return output::json(&serde_json::json!({ "dropped": self.name }));
        }
        output::line(&format!("dropped {}", self.name))
    }
}
