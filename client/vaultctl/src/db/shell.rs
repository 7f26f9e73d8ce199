//! `vaultctl db shell`.

mod complete;
mod dot;
mod entry;
mod session;

use crate::{context::Context, failure::Failure, output};
use entry::{Entries, Entry};
use session::Session;

/// What can be done at the prompt, for `--help` and `.help`.
const HELP: &str = "\
Statements end with a `;` and may take several lines. BEGIN, COMMIT and ROLLBACK lead a
transaction; while one is open, the prompt has a `*`. Ctrl-C stops what runs, Ctrl-D ends.

  .tables              list tables and views
  .schema [TABLE]      show the statements that made them
  .mode [table|tabs|json|csv]
                       how rows are printed
  .help                this
  .quit                end

What was typed is kept in memory only.";

#[derive(clap::Args, Debug)]
#[command(after_long_help = HELP)]
pub(crate) struct Shell {
    /// The database
    name: String,
}

impl Shell {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        let client = context.open().await?;
        let mut session = Session::new(client, self.name, context)?;
        // Also shows whether the database is there.
        let mut names = Some(session.names().await?);
        let mut entries = Entries::new();
        if entries.interactive() {
            output::line("`.help` tells what can be done here.")?;
        }
        loop {
            let done = match entries.next(&session.prompt(), names.take()).await? {
                Entry::Text(text) if entries.interactive() => stoppable(&mut session, &text).await,
                // Ctrl-C ends a script, as it does any.
                Entry::Text(text) => session.run(&text).await,
                Entry::Interrupted => continue,
                Entry::End => break,
            };
            match done {
                Ok(true) => {}
                Ok(false) => break,
                // A script that goes on after a failure does what nobody meant.
                Err(failure) if !entries.interactive() => return Err(failure),
                Err(failure) => failure.show(),
            }
            if session.take_changed() && entries.interactive() {
                // Only completion suffers where they cannot be read.
                names = session.names().await.ok();
            }
        }
        session.end(entries.interactive()).await
    }
}

/// Runs what was typed, until Ctrl-C. Answers whether the shell goes on.
async fn stoppable(session: &mut Session, text: &str) -> Result<bool, Failure> {
    tokio::select! {
        biased;
        interrupted = tokio::signal::ctrl_c() => {
            interrupted?;
        }
        done = session.run(text) => return done,
    }
    // Its answers are dropped, which the daemon notices.
    let undone = if session.abandon() {
        "; the transaction was rolled back"
    } else {
        ""
    };
    Err(Failure::other(format!("stopped{undone}")))
}
