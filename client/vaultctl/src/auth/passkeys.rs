//! `vaultctl auth passkeys ...`.

use serde::Serialize;
use serde_json::json;
use vault_client::Passkey;

use super::{time, time_or};
use crate::{context::Context, failure::Failure, output, prompt};

#[derive(clap::Subcommand, Debug)]
pub(crate) enum Passkeys {
    /// List them
    Ls(RelyingParty),
    /// Give one another label
    Rename(Rename),
    /// Revoke some, with the sessions they began
    Rm(Remove),
    /// Revoke all, so that each address is paired anew with a code; everything else stays
    Reset(Reset),
}

#[derive(clap::Args, Debug)]
pub(crate) struct RelyingParty {
    /// Only those of this relying party, such as vault.example.org
    #[arg(long, value_name = "RP-ID")]
    rp_id: Option<String>,
}

#[derive(clap::Args, Debug)]
pub(crate) struct Rename {
    id: String,
    label: String,
}

#[derive(clap::Args, Debug)]
pub(crate) struct Remove {
    #[arg(required = true, value_name = "ID")]
    ids: Vec<String>,
    /// Do not ask
    #[arg(long)]
    yes: bool,
}

#[derive(clap::Args, Debug)]
pub(crate) struct Reset {
    #[command(flatten)]
    relying_party: RelyingParty,
    /// Do not ask
    #[arg(long)]
    yes: bool,
}

#[derive(Serialize)]
struct PasskeyJson<'a> {
    id: &'a str,
    label: &'a str,
    rp_id: &'a str,
    created: String,
    last_used: Option<String>,
}

impl<'a> From<&'a Passkey> for PasskeyJson<'a> {
    fn from(passkey: &'a Passkey) -> Self {
        Self {
            id: &passkey.id,
            label: &passkey.label,
            rp_id: &passkey.rp_id,
            created: time(passkey.created),
            last_used: passkey.last_used.map(time),
        }
    }
}

impl Passkeys {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        match self {
            Self::Ls(only) => only.list(context).await,
            Self::Rename(rename) => rename.run(context).await,
            Self::Rm(remove) => remove.run(context).await,
            Self::Reset(reset) => reset.run(context).await,
        }
    }
}

impl RelyingParty {
    async fn list(self, context: &Context) -> Result<(), Failure> {
        let client = context.open().await?;
        let passkeys = client.passkeys(self.rp_id.as_deref()).await?;
        if context.json() {
            let mut each = passkeys.iter().map(PasskeyJson::from);
            return each.try_for_each(|passkey| output::json(&passkey));
        }
        let rows: Vec<Vec<String>> = passkeys
            .iter()
            .map(|passkey| {
                vec![
                    output::printable(&passkey.label),
                    passkey.rp_id.clone(),
                    time(passkey.created),
                    time_or(passkey.last_used, "never"),
                    passkey.id.clone(),
                ]
            })
            .collect();
        output::table(&["LABEL", "RP-ID", "CREATED", "LAST USED", "ID"], &rows)
    }
}

impl Rename {
    async fn run(self, context: &Context) -> Result<(), Failure> {
        let client = context.open().await?;
        let passkey = client.rename_passkey(&self.id, &self.label).await?;
        if context.json() {
            return output::json(&PasskeyJson::from(&passkey));
        }
        output::line(&format!("renamed to {}", output::printable(&passkey.label)))
    }
}

impl Remove {
    async fn run(self, context: &Context) -> Result<(), Failure> {
        let client = context.open().await?;
        if !self.yes {
            let which = output::count(self.ids.len() as u64, "passkey");
            let question = format!("Revoke {which}? What it signed in is signed out.");
            prompt::confirm(&question, "nothing was revoked")?;
        }
        for id in &self.ids {
            client.revoke_passkey(id).await?;
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
        let rp_id = self.relying_party.rp_id.as_deref();
        if !self.yes {
            let whose = rp_id.map(|rp_id| format!(" of {}", output::printable(rp_id)));
            let question = format!(
                "Revoke every passkey{}? Who is signed in is signed out, and pairs anew with a code.",
                whose.unwrap_or_default()
            );
            prompt::confirm(&question, "nothing was revoked")?;
        }
        let revoked = client.reset_passkeys(rp_id).await?;
        if context.json() {
            return output::json(&json!({ "revoked": revoked }));
        }
        output::line(&format!(
            "revoked {}",
            output::count(revoked.into(), "passkey")
        ))
    }
}
