//! `vaultctl auth status` and `vaultctl auth whoami`.

use serde_json::json;
use vault_client::{AuthSettings, AuthStatus};

use super::texts;
use crate::{context::Context, failure::Failure, output};

pub(super) async fn whoami(context: &Context) -> Result<(), Failure> {
    let client = context.connect().await?;
    let (vault, status) = (client.place(), client.auth_status().await?);
    let scopes = texts(&status.scopes);
    if context.json() {
        return output::json(&json!({
            "vault": vault,
            "principal": status.principal.as_str(),
            "token_id": status.token_id,
            "session_id": status.session_id,
            "scopes": scopes,
        }));
    }
    let mut facts = vec![
        ("vault", output::printable(&vault)),
        ("principal", status.principal.as_str().to_owned()),
    ];
    facts.extend(status.token_id.map(|id| ("token", id)));
    facts.extend(status.session_id.map(|id| ("session", id)));
    if !scopes.is_empty() {
        facts.push(("scopes", scopes.join(" ")));
    }
    output::facts(&facts)
}

pub(super) async fn run(context: &Context) -> Result<(), Failure> {
    let client = context.connect().await?;
    let status = client.auth_status().await?;
    if context.json() {
        return output::json(&json!({
            "principal": status.principal.as_str(),
            "rp_id": status.rp_id,
            "paired": status.paired,
            "host_admitted": status.host_admitted,
            "explanation": status.explanation,
            "settings": status.settings.map(settings_json),
            "warnings": status.warnings,
            "anchored": status.anchored,
            "unavailable": status.unavailable,
        }));
    }
    print(&status)
}

fn print(status: &AuthStatus) -> Result<(), Failure> {
    if let Some(rp_id) = &status.rp_id {
        let paired = if status.paired {
            ""
        } else {
            ", without a passkey"
        };
        output::line(&format!("relying party   {rp_id}{paired}"))?;
    }
    if let Some(settings) = &status.settings {
        print_settings(*settings)?;
    }
    if !status.explanation.is_empty() {
        output::line(&output::printable(&status.explanation))?;
    }
    if let Some(reason) = status.unavailable {
        return output::line(&format!("nobody can be judged now: {reason}"));
    }
    if !status.anchored {
        output::line("this keyring cannot tell whether an older copy of the tables was put back")?;
    }
    for warning in &status.warnings {
        output::line(&format!("warning: {}", output::printable(warning)))?;
    }
    Ok(())
}

pub(super) fn settings_json(settings: AuthSettings) -> serde_json::Value {
    json!({
        "require_auth": settings.require_auth,
        "loopback_bypass": settings.loopback_bypass,
        "first_pair": settings.first_pair.as_str(),
        "strict": settings.strict,
        "query_tokens": settings.query_tokens,
    })
}

pub(super) fn print_settings(settings: AuthSettings) -> Result<(), Failure> {
    let switch = |on: bool| if on { "on" } else { "off" };
    for (name, value) in [
        ("require-auth", switch(settings.require_auth)),
        ("loopback-bypass", switch(settings.loopback_bypass)),
        ("first-pair", settings.first_pair.as_str()),
        ("strict", switch(settings.strict)),
        ("query-tokens", switch(settings.query_tokens)),
    ] {
        output::line(&format!("{name:<16}{value}"))?;
    }
    Ok(())
}
