//! `vaultctl key status`.

use serde_json::{Value, json};
use vault_client::{KeyExport, KeyStatus, Rotation, RotationDepth};

use crate::{context::Context, failure::Failure, output, status};

pub(super) async fn run(context: &Context) -> Result<(), Failure> {
    let client = context.connect().await?;
    status::settled(&client).await?;
    let status = client.key_status().await?;
    if context.json() {
        return output::json(&as_json(&status));
    }
    let mut facts = Vec::new();
    if !status.vault_id.is_empty() {
        facts.push(("vault", status.vault_id.clone()));
    }
    facts.push(("keyring", status.keyring_backend.clone()));
    facts.push((
        "fingerprint",
        or(&status.fingerprint, "not known: no key is open"),
    ));
    let derived = if status.derived {
        "yes, from a master key"
    } else {
        "no"
    };
    facts.push(("derived", derived.to_owned()));
    if !status.salt_problem.is_empty() {
        facts.push(("salt", output::printable(&status.salt_problem)));
    }
    let rotation = status.rotation.as_ref();
    facts.push(("rotation", rotation.map_or("none".to_owned(), describe)));
    if let Some(rotation) = rotation.filter(|rotation| !rotation.error.is_empty()) {
        facts.push(("stopped by", output::printable(&rotation.error)));
    }
    facts.push(("last export", exported(status.last_export.as_ref())));
    if !status.moving_to.is_empty() {
        facts.push(("moving to", status.moving_to.clone()));
    }
    if !status.kept_keys.is_empty() {
        let kept = status.kept_keys.join(", ");
        facts.push(("kept keys", format!("{kept} (damaged objects name them)")));
    }
    if let Some(reset) = status.reset_ms {
        facts.push(("destroyed", output::time(reset)));
    }
    output::facts(&facts)?;
    for advice in advice(&status) {
        output::line(&format!("  - {advice}"))?;
    }
    Ok(())
}

fn or(text: &str, otherwise: &str) -> String {
    if text.is_empty() { otherwise } else { text }.to_owned()
}

fn describe(rotation: &Rotation) -> String {
    let depth = match rotation.depth {
        Some(RotationDepth::Rewrap) => "rewrap",
        Some(RotationDepth::Reencrypt) => "re-encryption",
        None => "of an unknown depth",
    };
    let mut parts = vec![format!("{depth}, {}", rotation.state.as_str())];
    let progress = &rotation.progress;
    if progress.objects_total > 0 {
        parts.push(format!(
            "{} of {} objects, {} of {}",
            progress.objects_done,
            progress.objects_total,
            output::size(progress.bytes_done),
            output::size(progress.bytes_total)
        ));
    }
    if !progress.store.is_empty() {
        parts.push(format!("in {}", output::printable(&progress.store)));
    }
    let flags = [
        (rotation.back, "being rolled back"),
        (rotation.paused, "paused"),
        (rotation.running, "running"),
        (rotation.awaits_credential, "awaits its credential"),
    ];
    let flags = flags.into_iter().filter(|(set, _)| *set);
    parts.extend(flags.map(|(_, word)| word.to_owned()));
    parts.join(", ")
}

fn exported(export: Option<&KeyExport>) -> String {
    let Some(export) = export else {
        return "none".to_owned();
    };
    let opens = if export.opens {
        "opens the vault"
    } else {
        "does NOT open the vault any more"
    };
    format!("{}, {opens}", output::time(export.at_ms))
}

/// What to do about it, a line each.
fn advice(status: &KeyStatus) -> Vec<&'static str> {
    let mut advice = Vec::new();
    let stopped = |rotation: &Rotation| {
        (rotation.paused || !rotation.error.is_empty()) && !rotation.awaits_credential
    };
    if status.rotation.as_ref().is_some_and(stopped) {
        advice.push("`vaultctl key rotate --resume` goes on, `--rollback` undoes it");
    }
    let usable = status
        .last_export
        .as_ref()
        .is_some_and(|export| export.opens);
    if !usable && !status.fingerprint.is_empty() {
        advice.push("`vaultctl key export FILE` makes an export that opens the vault");
    }
    advice
}

fn as_json(status: &KeyStatus) -> Value {
    let rotation = status.rotation.as_ref().map(|rotation| {
        let progress = &rotation.progress;
        json!({
            "state": rotation.state.as_str(),
            "depth": rotation.depth.map(RotationDepth::as_str),
            "back": rotation.back,
            "paused": rotation.paused,
            "running": rotation.running,
            "error": rotation.error,
            "from": rotation.from,
            "to": rotation.to,
            "awaits_credential": rotation.awaits_credential,
            "objects_done": progress.objects_done,
            "objects_total": progress.objects_total,
            "bytes_done": progress.bytes_done,
            "bytes_total": progress.bytes_total,
            "store": progress.store,
        })
    });
    let last_export = status.last_export.as_ref().map(|export| {
        json!({
            "at": output::time(export.at_ms),
            "fingerprint": export.fingerprint,
            "opens": export.opens,
        })
    });
    json!({
        "vault_id": status.vault_id,
        "keyring_backend": status.keyring_backend,
        "fingerprint": status.fingerprint,
        "rotation": rotation,
        "last_export": last_export,
        "derived": status.derived,
        "salt_problem": status.salt_problem,
        "moving_to": status.moving_to,
        "kept_keys": status.kept_keys,
        "reset": status.reset_ms.map(output::time),
    })
}
