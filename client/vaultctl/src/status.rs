//! `vaultctl status`.

use std::time::{Duration, Instant};

use vault_client::{Client, KeyState, Status};

use crate::{context::Context, failure::Failure, output};

/// How long a daemon that has just started is given to hear from its keyring.
const PATIENCE: Duration = Duration::from_secs(5);

/// The status once the daemon has heard from its keyring.
pub(crate) async fn settled(client: &Client) -> Result<Status, Failure> {
    let begun = Instant::now();
    loop {
        let status = client.status().await?;
        if status.key_state != KeyState::Starting || begun.elapsed() > PATIENCE {
            return Ok(status);
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

pub(crate) async fn run(context: &Context) -> Result<(), Failure> {
    let client = context.connect().await?;
    let status = settled(&client).await?;
    if context.json() {
        return output::json(&serde_json::json!({
            "version": status.version,
            "pid": status.pid,
            "data_root": status.data_root,
            "socket": status.socket,
            "vault_id": status.vault_id,
            "key_state": status.key_state.as_str(),
            "keyring_backend": status.keyring_backend,
            "key_fingerprint": status.key_fingerprint,
            "explanation": status.explanation,
            "remedies": status.remedies,
            "stores": status.stores,
            "started": output::time(status.started_ms),
            "ephemeral": status.ephemeral,
            "non_dumpable": status.non_dumpable,
            "secret_place": status.secret_place.as_str(),
            "secrets": status.secrets,
            "audit_problem": status.audit_problem,
            "storage_locations": status.storage_locations,
        }));
    }
    let mut rows = vec![
        (
            "daemon",
            format!("vaultd {}, process {}", status.version, status.pid),
        ),
        ("since", output::time(status.started_ms)),
        ("socket", status.socket.display().to_string()),
        ("folder", status.data_root.display().to_string()),
    ];
    if !status.vault_id.is_empty() {
        rows.push(("vault", status.vault_id.clone()));
    }
    let ephemeral = if status.ephemeral {
        " (ends with the daemon)"
    } else {
        ""
    };
    rows.push(("keyring", format!("{}{ephemeral}", status.keyring_backend)));
    rows.push(("key", status.key_state.as_str().to_owned()));
    if status.key_state == KeyState::Open {
        rows.push(("fingerprint", status.key_fingerprint.clone()));
        rows.push(("stores", status.stores.to_string()));
        let place = status.secret_place.describe();
        rows.push(("secrets", format!("{}, {place}", status.secrets)));
    }
    if !status.audit_problem.is_empty() {
        rows.push(("audit log", output::printable(&status.audit_problem)));
    }
    output::facts(&rows)?;
    if !status.explanation.is_empty() {
        output::line(&format!("\n{}.", status.explanation))?;
        for remedy in &status.remedies {
            output::line(&format!("  - {remedy}"))?;
        }
    }
    Ok(())
}
