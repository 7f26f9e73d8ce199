//! `vaultctl auth tokens ...`.

use std::time::Duration;

use serde_json::json;
use vault_client::{Scope, Token};

use super::{texts, time, time_or};
use crate::{context::Context, duration, failure::Failure, output, prompt};

#[derive(clap::Subcommand, Debug)]
pub(crate) enum Tokens {
    /// List them, without themselves
    Ls,
    /// Make one, and print it: it stands nowhere else
    Create(Create),
    /// Revoke some
    Rm(Remove),
    /// Revoke all
    Reset(Reset),
}

#[derive(clap::Args, Debug)]
pub(crate) struct Create {
    /// What it is for
    #[arg(long)]
    label: String,
    /// What it reaches, such as notes:read, chat/*:write or *:admin; may be given more than once
    #[arg(long, required = true, value_name = "STORES:PERMISSION")]
    scope: Vec<Scope>,
    /// How long it counts, such as 12h or 30d [default: until it is revoked]
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    expires: Option<Duration>,
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

impl Tokens {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        match self {
            Self::Ls => list(context).await,
            Self::Create(create) => create.run(context).await,
            Self::Rm(remove) => remove.run(context).await,
            Self::Reset(reset) => reset.run(context).await,
        }
    }
}

async fn list(context: &Context) -> Result<(), Failure> {
    let tokens = context.open().await?.tokens().await?;
    if context.json() {
        return tokens
            .iter()
            .try_for_each(|token| output::json(&as_json(token)));
    }
    let rows: Vec<Vec<String>> = tokens
        .iter()
        .map(|token| {
            let expires = time_or(token.expires, "never");
            vec![
                token.id.clone(),
                output::printable(&token.label),
                texts(&token.scopes).join(" "),
                time_or(token.last_used, "never"),
                if token.expired {
                    "expired".to_owned()
                } else {
                    expires
                },
            ]
        })
        .collect();
    let headings = ["ID", "LABEL", "SCOPES", "LAST USED", "EXPIRES"];
    output::table(&headings, &rows)
}

/// A token without itself.
pub(super) fn as_json(token: &Token) -> serde_json::Value {
    json!({
        "id": token.id,
        "label": token.label,
        "scopes": texts(&token.scopes),
        "created": time(token.created),
        "last_used": token.last_used.map(time),
        "expires": token.expires.map(time),
        "expired": token.expired,
    })
}

impl Create {
    async fn run(self, context: &Context) -> Result<(), Failure> {
        let client = context.open().await?;
        let made = client.create_token(&self.label, &self.scope, self.expires);
        let (token, secret) = made.await?;
        if context.json() {
            let mut printed = as_json(&token);
            printed["secret"] = String::from_utf8_lossy(secret.expose()).into();
            return output::json(&printed);
        }
        // Alone on standard output, so that `$(...)` takes it.
        eprintln!(
            "vaultctl: token {} reaches {}; it is shown this once",
            token.id,
            texts(&token.scopes).join(" ")
        );
        output::raw(secret.expose())?;
        output::raw(b"\n")
    }
}

impl Remove {
    async fn run(self, context: &Context) -> Result<(), Failure> {
        let client = context.open().await?;
        for id in &self.ids {
            client.revoke_token(id).await?;
            if context.json() {
                output::json(&json!({ "revoked": id }))?;
            } else {
                output::line(&format!("revoked {}", output::printable(id)))?;
            }
        }
        Ok(())
    }
}

impl Reset {
    async fn run(self, context: &Context) -> Result<(), Failure> {
        let client = context.open().await?;
        if !self.yes {
            let question = "Revoke every token? Each script that has one stops working.";
            prompt::confirm(question, "nothing was revoked")?;
        }
        let revoked = client.reset_tokens().await?;
        if context.json() {
            return output::json(&json!({ "revoked": revoked }));
        }
        output::line(&format!(
            "revoked {}",
            output::count(revoked.into(), "token")
        ))
    }
}
