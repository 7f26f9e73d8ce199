//! `vaultctl auth logout`.

use serde_json::json;
use vault_client::{Options, Secret};

use super::{gateway, revoke};
use crate::{context::Context, failure::Failure, output, token};

pub(super) async fn run(context: &Context) -> Result<(), Failure> {
    let (options, token) = saved(context).await?;
    let vault = options.place()?;
    let revoked = revoke::by_itself(options, token, "the").await;
    token::forget(&vault).await?;
    if context.json() {
        return output::json(&json!({ "vault": vault, "revoked": revoked }));
    }
    output::line(&format!("signed out of {}", output::printable(&vault)))
}

/// The vault that is left: the one that was named, else the gateway of this machine, as for `login`.
async fn saved(context: &Context) -> Result<(Options, Secret), Failure> {
    let named = context.options();
    let own = Options {
        base_url: Some(gateway(context)?),
        ..Options::default()
    };
    for options in [named, own] {
        if let Some(token) = token::saved(&options.place()?).await? {
            return Ok((options, token));
        }
    }
    let vault = output::printable(&context.options().place()?);
    Err(Failure::missing(format!("no token is saved for {vault}")))
}
