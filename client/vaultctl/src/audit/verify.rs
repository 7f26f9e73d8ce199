//! `vaultctl audit verify`.

use serde_json::json;
use vault_client::{AuditAnchor, AuditFinding, AuditVerification, AuditVerificationEvent, Client};

use super::time;
use crate::{bar, context::Context, failure::Failure, output};

pub(super) async fn run(context: &Context, client: &Client) -> Result<(), Failure> {
    let mut events = client.audit_verify().await?;
    let bar = bar::bytes(0, "verifying");
    let mut verified = None;
    while let Some(event) = events.next().await? {
        match event {
            AuditVerificationEvent::Progress { bytes, total } => {
                bar.set_length(total);
                bar.set_position(bytes);
            }
            AuditVerificationEvent::Done(done) => verified = Some(done),
        }
    }
    bar.finish_and_clear();
    let verified = verified.ok_or_else(|| Failure::other("the daemon gave no report"))?;
    if context.json() {
        output::json(&as_json(&verified))?;
    } else {
        show(&verified)?;
    }
    if verified.sound {
        return Ok(());
    }
    let problems = verified.findings.iter().filter(|found| !found.note);
    let problems = output::count(problems.count() as u64 + verified.more, "problem");
    Err(Failure::other(format!(
        "the audit log is not as it was written: {problems}"
    )))
}

fn show(verified: &AuditVerification) -> Result<(), Failure> {
    for found in &verified.findings {
        output::line(&as_line(found))?;
    }
    if verified.more > 0 {
        output::line(&format!("... and {} more", verified.more))?;
    }
    let records = output::count(verified.records, "record");
    let segments = output::count(verified.segments, "segment");
    output::line(&format!(
        "{records} in {segments}, numbers {} to {}",
        verified.first, verified.last
    ))?;
    output::line(&reach(&verified.anchor, verified.last))
}

/// What the keyring's memory is worth.
fn reach(anchor: &AuditAnchor, last: u64) -> String {
    match anchor {
        AuditAnchor::NotKept => "this keyring backend remembers nothing of the log: an older copy \
                                 of all of it, or one cut at its end, would not be noticed after a \
                                 restart"
            .to_owned(),
        AuditAnchor::Nothing => "the keyring remembers nothing of the log".to_owned(),
        AuditAnchor::Unreachable(why) => format!(
            "the keyring could not be asked what it remembers: {}",
            output::printable(why)
        ),
        AuditAnchor::Record { sequence, at } => {
            let since = at.map_or_else(String::new, |at| format!(" (since {})", time(at)));
            let behind = last.saturating_sub(*sequence);
            let rest = match behind {
                0 => "nothing can have been cut off".to_owned(),
                _ => format!(
                    "the {} behind it are held by the chain alone",
                    output::count(behind, "record")
                ),
            };
            format!("the keyring remembers record {sequence}{since}: {rest}")
        }
    }
}

fn as_line(found: &AuditFinding) -> String {
    let severity = if found.note { "note" } else { "PROBLEM" };
    let place = match (found.records, found.segment) {
        (Some((first, last)), _) if first == last => format!(" record {first}"),
        (Some((first, last)), _) => format!(" records {first} to {last}"),
        (None, Some(segment)) => format!(" segment {segment}"),
        (None, None) => String::new(),
    };
    let detail = if found.detail.is_empty() {
        String::new()
    } else {
        format!(": {}", output::printable(&found.detail))
    };
    format!(
        "{severity} {}{place}{detail}",
        output::printable(&found.kind)
    )
}

fn as_json(verified: &AuditVerification) -> serde_json::Value {
    let findings = verified.findings.iter().map(|found| {
        json!({
            "kind": found.kind,
            "note": found.note,
            "segment": found.segment,
            "first": found.records.map(|(first, _)| first),
            "last": found.records.map(|(_, last)| last),
            "detail": found.detail,
        })
    });
    let anchor = match &verified.anchor {
        AuditAnchor::NotKept => json!({ "kept": false }),
        AuditAnchor::Nothing => json!({ "kept": true, "sequence": null }),
        AuditAnchor::Unreachable(why) => {
            json!({ "kept": true, "sequence": null, "failure": why })
        }
        AuditAnchor::Record { sequence, at } => json!({
            "kept": true,
            "sequence": sequence,
            "at": at.map(time),
        }),
    };
    json!({
        "sound": verified.sound,
        "segments": verified.segments,
        "records": verified.records,
        "first": verified.first,
        "last": verified.last,
        "anchor": anchor,
        "findings": findings.collect::<Vec<_>>(),
        "more": verified.more,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_said_how_far_the_anchor_reaches() {
        let at = |sequence| AuditAnchor::Record { sequence, at: None };
        assert_eq!(
            reach(&at(7), 7),
            "the keyring remembers record 7: nothing can have been cut off"
        );
        assert_eq!(
            reach(&at(7), 9),
            "the keyring remembers record 7: the 2 records behind it are held by the chain alone"
        );
    }

    #[test]
    fn a_finding_says_where() {
        let mut found = AuditFinding {
            kind: "records_missing".into(),
            note: false,
            segment: Some(2),
            records: Some((5, 9)),
            detail: String::new(),
        };
        assert_eq!(as_line(&found), "PROBLEM records_missing records 5 to 9");
        found.records = Some((5, 5));
        assert_eq!(as_line(&found), "PROBLEM records_missing record 5");
        (found.records, found.note) = (None, true);
        found.detail = "cut".into();
        assert_eq!(as_line(&found), "note records_missing segment 2: cut");
    }
}
