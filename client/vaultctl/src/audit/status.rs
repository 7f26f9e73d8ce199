//! `vaultctl audit status`.

use serde_json::json;
use vault_client::{AuditStatus, Client};

use super::time;
use crate::{context::Context, failure::Failure, output};

pub(super) async fn run(context: &Context, client: &Client) -> Result<(), Failure> {
    let status = client.audit_status().await?;
    if context.json() {
        return output::json(&json!({
            "policy": status.policy,
            "calls": status.calls,
            "first": status.first,
            "last": status.last,
            "segments": status.segments,
            "bytes": status.bytes,
            "limit_bytes": status.limit_bytes,
            "anchor_kept": status.anchor_kept,
            "anchored": status.anchored,
            "anchored_at": status.anchored_at.map(time),
            "anchor_failure": status.anchor_failure,
            "failure": status.failure,
            "failing_since": status.failing_since.map(time),
            "lost": status.lost,
            "waiting": status.waiting,
            "mismatch": status.mismatch,
        }));
    }
    let mut facts = vec![
        ("policy", status.policy.to_owned()),
        ("calls", status.calls.to_owned()),
        ("records", format!("{} to {}", status.first, status.last)),
        (
            "size",
            format!(
                "{} of {} in {}",
                output::size(status.bytes),
                output::size(status.limit_bytes),
                output::count(status.segments, "segment")
            ),
        ),
        ("anchor", anchor(&status)),
    ];
    if !status.mismatch.is_empty() {
        facts.push(("MISMATCH", output::printable(&status.mismatch)));
    }
    if !status.failure.is_empty() {
        let since = status.failing_since.map_or_else(String::new, time);
        let why = output::printable(&status.failure);
        facts.push(("FAILING", format!("since {since}: {why}")));
    }
    if status.lost > 0 {
        facts.push(("LOST", output::count(status.lost, "record")));
    }
    output::facts(&facts)
}

fn anchor(status: &AuditStatus) -> String {
    if !status.anchor_kept {
        return "this keyring backend holds none".to_owned();
    }
    let known = match (status.anchored, status.anchored_at) {
        (Some(sequence), Some(at)) => format!("record {sequence}, {}", time(at)),
        (Some(sequence), None) => format!("record {sequence}"),
        (None, _) => "none yet".to_owned(),
    };
    if status.anchor_failure.is_empty() {
        known
    } else {
        format!("{known}; {}", output::printable(&status.anchor_failure))
    }
}
