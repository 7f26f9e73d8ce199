//! `vaultctl auth accept`.

use serde_json::json;
use vault_client::OlderAuth;

use super::{time, time_or};
use crate::{context::Context, failure::Failure, output, prompt};

#[derive(clap::Args, Debug)]
pub(crate) struct Accept {
    /// Do not ask
    #[arg(long)]
    yes: bool,
}

impl Accept {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        let client = context.open().await?;
        let Some(older) = client.older_auth().await? else {
            return Err(Failure::missing(
                "nothing is to accept: the tables are not older than the keyring remembers",
            ));
        };
        if !context.json() {
            eprint!("{}", consequences(&older));
        }
        if !self.yes {
            prompt::confirm("Accept the older tables?", "nothing was accepted")?;
        }
        let (sessions, tokens) = client.accept_auth().await?;
        if context.json() {
            let passkeys = older.passkeys.iter().map(|passkey| &passkey.id);
            return output::json(&json!({
                "passkeys": passkeys.collect::<Vec<_>>(),
                "hosts": older.hosts,
                "sessions_ended": sessions,
                "tokens_revoked": tokens,
            }));
        }
        output::line(&format!(
            "accepted; ended {}, revoked {}",
            output::count(sessions.into(), "session"),
            output::count(tokens.into(), "token")
        ))
    }
}

/// What will happen, in lines.
fn consequences(older: &OlderAuth) -> String {
    let mut lines = vec![format!(
        "{} will count, also where it was revoked since the copy was made:",
        output::count(older.passkeys.len() as u64, "passkey")
    )];
    lines.extend(older.passkeys.iter().map(|passkey| {
        format!(
            "  {} for {}, created {}, last used {}",
            output::printable(&passkey.label),
            output::printable(&passkey.rp_id),
            time(passkey.created),
            time_or(passkey.last_used, "never"),
        )
    }));
    lines.push(format!(
        "{} will be admitted, also where it was removed since:",
        output::count(older.hosts.len() as u64, "host")
    ));
    let hosts = older.hosts.iter();
    lines.extend(hosts.map(|host| format!("  {}", output::printable(host))));
    lines.push(format!(
        "{} will end, {} will be revoked, and the rules are those of the copy",
        output::count(older.sessions.into(), "session"),
        output::count(older.tokens.into(), "token"),
    ));
    lines.push(String::new());
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use vault_client::Passkey;

    use super::*;

    #[test]
    fn every_passkey_and_host_is_told_before_it_counts() {
        let passkey = Passkey {
            id: "id".to_owned(),
            label: "lost\u{1b}[2J phone".to_owned(),
            rp_id: "vault.example.org".to_owned(),
            created: UNIX_EPOCH,
            last_used: None,
        };
        let told = consequences(&OlderAuth {
            passkeys: vec![passkey],
            hosts: vec!["vault.example.org".to_owned()],
            sessions: 2,
            tokens: 1,
        });
        assert!(!told.contains('\u{1b}'), "{told}");
        for part in [
            "1 passkey will count",
            "phone for vault.example.org, created 1970-01-01T00:00:00",
            "last used never",
            "1 host will be admitted",
            "\n  vault.example.org\n",
            "2 sessions will end, 1 token will be revoked",
        ] {
            assert!(told.contains(part), "{part}: {told}");
        }
    }
}
