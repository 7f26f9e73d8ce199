//! `vaultctl auth configure`.

use clap::ValueEnum;
use vault_client::{AuthSettingsChange, FirstPair};

use super::status;
use crate::{context::Context, failure::Failure, output, prompt};

#[derive(clap::Args, Debug)]
pub(crate) struct Configure {
    /// Off lets in everybody who reaches the gateway: for development
    #[arg(long, value_name = "SWITCH")]
    require_auth: Option<Switch>,
    /// Your own processes need no passkey over the loopback
    #[arg(long, value_name = "SWITCH")]
    loopback_bypass: Option<Switch>,
    /// Who may register the first passkey of an address: whoever has a code, or anybody, and
    /// everything is open until then
    #[arg(long, value_name = "WHO")]
    first_pair: Option<First>,
    /// Clients on the socket need a token, too, and nobody is let in without a credential, whatever the
    /// other switches say
    #[arg(long, value_name = "SWITCH")]
    strict: Option<Switch>,
    /// `?api_token=` counts, for GET
    #[arg(long, value_name = "SWITCH")]
    query_tokens: Option<Switch>,
    /// Do not ask
    #[arg(long)]
    yes: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Switch {
    On,
    Off,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum First {
    Code,
    Open,
}

impl Configure {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        let on = |switch: Option<Switch>| switch.map(|switch| switch == Switch::On);
        let change = AuthSettingsChange {
            require_auth: on(self.require_auth),
            loopback_bypass: on(self.loopback_bypass),
            first_pair: self.first_pair.map(|first| match first {
                First::Code => FirstPair::Code,
                First::Open => FirstPair::Open,
            }),
            strict: on(self.strict),
            query_tokens: on(self.query_tokens),
        };
        if change == AuthSettingsChange::default() {
            return Err(Failure::usage(
                "nothing is to change: name a rule, or see `vaultctl auth status`",
            ));
        }
        if let Some(question) = opens(change).filter(|_| !self.yes) {
            prompt::confirm(question, "nothing was changed")?;
        }
        let settings = context.open().await?.configure_auth(change).await?;
        if context.json() {
            return output::json(&status::settings_json(settings));
        }
        status::print_settings(settings)
    }
}

/// What is asked before a change that lets strangers in.
fn opens(change: AuthSettingsChange) -> Option<&'static str> {
    if change.require_auth == Some(false) {
        return Some("Let everybody in who reaches the gateway?");
    }
    let open = change.first_pair == Some(FirstPair::Open);
    open.then_some("Let everybody in who reaches an address without a passkey?")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lets_strangers_in_is_asked_first() {
        let change = AuthSettingsChange::default();
        let off = AuthSettingsChange {
            require_auth: Some(false),
            ..change
        };
        let open = AuthSettingsChange {
            first_pair: Some(FirstPair::Open),
            ..change
        };
        let closed = AuthSettingsChange {
            require_auth: Some(true),
            first_pair: Some(FirstPair::Code),
            loopback_bypass: Some(false),
            ..change
        };
        assert!(opens(off).is_some() && opens(open).is_some());
        assert!(opens(closed).is_none() && opens(change).is_none());
    }
}
