//! `vaultctl auth sessions ...`.

use serde_json::json;
use vault_client::Session;

use super::time;
use crate::{context::Context, failure::Failure, output, prompt};

#[derive(clap::Subcommand, Debug)]
pub(crate) enum Sessions {
    /// List them
    Ls,
    /// End some
    Rm(Remove),
    /// End all; passkeys stay
    Reset(Reset),
}

#[derive(clap::Args, Debug)]
pub(crate) struct Remove {
    #[arg(required = true, value_name = "ID")]
    ids: Vec<String>,
}

#[derive(clap::Args, Debug)]
pub(crate) struct Reset {
    /// Do not ask
    #[arg(long)]
    yes: bool,
}

impl Sessions {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        match self {
            Self::Ls => list(context).await,
            Self::Rm(remove) => remove.run(context).await,
            Self::Reset(reset) => reset.run(context).await,
        }
    }
}

async fn list(context: &Context) -> Result<(), Failure> {
    let sessions = context.open().await?.sessions().await?;
    if context.json() {
        return sessions.iter().try_for_each(print_json);
    }
    let rows: Vec<Vec<String>> = sessions
        .iter()
        .map(|session| {
            vec![
                session.id.clone(),
                output::printable(&session.label),
                session.rp_id.clone(),
                output::printable(&session.address),
                time(session.last_used),
                time(session.expires),
            ]
        })
        .collect();
    let headings = ["ID", "LABEL", "RP-ID", "FROM", "LAST USED", "EXPIRES"];
    output::table(&headings, &rows)
}

fn print_json(session: &Session) -> Result<(), Failure> {
    output::json(&json!({
        "id": session.id,
        "label": session.label,
        "rp_id": session.rp_id,
        "passkey_id": session.passkey_id,
        "address": session.address,
        "created": time(session.created),
        "last_used": time(session.last_used),
        "expires": time(session.expires),
        "current": session.current,
    }))
}

impl Remove {
    async fn run(self, context: &Context) -> Result<(), Failure> {
        let client = context.open().await?;
        for id in &self.ids {
            client.revoke_session(id).await?;
            if context.json() {
                output::json(&json!({ "ended": id }))?;
            } else {
                output::line(&format!("ended {}", output::printable(id)))?;
            }
        }
        Ok(())
    }
}

impl Reset {
    async fn run(self, context: &Context) -> Result<(), Failure> {
        let client = context.open().await?;
        if !self.yes {
            prompt::confirm("Sign every browser out?", "nobody was signed out")?;
        }
        let ended = client.reset_sessions().await?;
        if context.json() {
            return output::json(&json!({ "ended": ended }));
        }
        output::line(&format!("ended {}", output::count(ended.into(), "session")))
    }
}
