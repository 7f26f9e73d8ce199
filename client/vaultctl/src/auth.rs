//! `vaultctl auth ...`: who may reach the vault over HTTP, and the token of this command line.

mod accept;
mod activity;
mod configure;
mod hosts;
mod login;
mod logout;
mod pair;
mod passkeys;
mod revoke;
mod sessions;
mod status;
mod tokens;

use std::time::{SystemTime, UNIX_EPOCH};

use vault_client::{BaseUrl, Scope};

use crate::{context::Context, failure::Failure, output};

#[derive(clap::Subcommand, Debug)]
pub(crate) enum Auth {
    /// Get a token from somebody who is signed in with a browser, and save it for this vault
    Login(login::Login),
    /// Revoke the saved token, and remove it
    Logout,
    /// Show as what this command line counts
    Whoami,
    /// Show the rules in force, and what is unsafe
    Status,
    /// Make the code that the first passkey of an address is registered with
    Pair(pair::Pair),
    /// The passkeys that sign in
    #[command(subcommand)]
    Passkeys(passkeys::Passkeys),
    /// Signed-in browsers
    #[command(subcommand)]
    Sessions(sessions::Sessions),
    /// Bearer tokens, for scripts and programs
    #[command(subcommand)]
    Tokens(tokens::Tokens),
    /// Hosts that the gateway is reached by, besides those of this machine
    #[command(subcommand)]
    Hosts(hosts::Hosts),
    /// Change the rules
    Configure(configure::Configure),
    /// Accept tables that are older than the keyring remembers: sessions end, tokens are revoked
    Accept(accept::Accept),
    /// Show what happened last: sign-ins, refusals, what was granted and revoked
    Activity(activity::Activity),
}

impl Auth {
    pub(crate) async fn run(self, context: &Context) -> Result<(), Failure> {
        match self {
            Self::Login(login) => login.run(context).await,
            Self::Logout => logout::run(context).await,
            Self::Whoami => status::whoami(context).await,
            Self::Status => status::run(context).await,
            Self::Pair(pair) => pair.run(context).await,
            Self::Passkeys(passkeys) => passkeys.run(context).await,
            Self::Sessions(sessions) => sessions.run(context).await,
            Self::Tokens(tokens) => tokens.run(context).await,
            Self::Hosts(hosts) => hosts.run(context).await,
            Self::Configure(configure) => configure.run(context).await,
            Self::Accept(accept) => accept.run(context).await,
            Self::Activity(activity) => activity.run(context).await,
        }
    }
}

/// Where a gateway listens that was not told otherwise.
const GATEWAY: &str = "http://localhost:7787";

/// The gateway that was named, else the one of this machine.
fn gateway(context: &Context) -> Result<BaseUrl, Failure> {
    match &context.global.base_url {
        Some(base) => Ok(base.clone()),
        None => GATEWAY
            .parse()
            .map_err(|error| Failure::other(format!("{GATEWAY}: {error}"))),
    }
}

/// A time as RFC 3339 text in UTC.
fn time(at: SystemTime) -> String {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    output::time(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// The same, or a word where there is none.
fn time_or(at: Option<SystemTime>, word: &str) -> String {
    at.map_or_else(|| word.to_owned(), time)
}

fn texts(scopes: &[Scope]) -> Vec<String> {
    scopes.iter().map(Scope::to_string).collect()
}
