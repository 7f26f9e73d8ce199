//! `vaultctl auth hosts ...`.

use serde_json::json;

use crate::{context::Context, failure::Failure, output};

#[derive(clap::Subcommand, Debug)]
pub(crate) enum Hosts {
    /// List them
    Ls,
    /// Admit one
    Add(Host),
    /// Admit one no more
    Rm(Host),
}

#[derive(clap::Args, Debug)]
pub(crate) struct Host {
    /// A name without a port, such as vault.example.org
    host: String,
}

impl Hosts {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        let client = context.open().await?;
        match self {
            Self::Ls => client.hosts().await?.iter().try_for_each(|host| {
                if context.json() {
                    return output::json(&json!({ "host": host }));
                }
                output::line(&output::printable(host))
            }),
            Self::Add(Host { host }) => {
                client.add_host(&host).await?;
                said(context, "admitted", &host)
            }
            Self::Rm(Host { host }) => {
                client.remove_host(&host).await?;
                said(context, "removed", &host)
            }
        }
    }
}

fn said(context: &Context, done: &str, host: &str) -> Result<(), Failure> {
    if context.json() {
        return output::json(&json!({ done: host }));
    }
    output::line(&format!("{done} {}", output::printable(host)))
}
