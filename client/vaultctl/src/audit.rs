//! `vaultctl audit ...`: who did what.

mod accept;
mod search;
mod status;
mod tail;
mod verify;

use std::time::SystemTime;

use serde_json::json;
use vault_client::{AuditEntry, AuditEvent, AuditRecord, AuditStream, Client};

use crate::{context::Context, failure::Failure, output};

#[derive(clap::Subcommand, Debug)]
pub(crate) enum Audit {
    /// Show the newest records; with --follow, those to come
    Tail(tail::Tail),
    /// Show the records that fit
    Search(search::Search),
    /// Read all of the log and say whether it is as it was written
    Verify,
    /// Show what is recorded, and how the log fares
    Status,
    /// Take it as known that the log is not the one the keyring remembered
    Accept(accept::Accept),
}

impl Audit {
    pub(crate) async fn run(self, context: &Context) -> Result<(), Failure> {
        let client: Client = context.open().await?;
        match self {
            Self::Tail(tail) => tail.run(context, &client).await,
            Self::Search(search) => search.run(context, &client).await,
            Self::Verify => verify::run(context, &client).await,
            Self::Status => status::run(context, &client).await,
            Self::Accept(accept) => accept.run(&client).await,
        }
    }
}

/// Prints records as they come, to the end.
async fn print(context: &Context, mut records: AuditStream) -> Result<(), Failure> {
    while let Some((records, unreadable)) = records.next().await? {
        for record in records {
            if context.json() {
                output::json(&as_json(&record))?;
            } else {
                output::line(&as_line(&record))?;
            }
        }
        if unreadable > 0 {
            let records = output::count(unreadable, "record");
            let hint = "`vaultctl audit verify` says which";
            eprintln!("vaultctl: {records} cannot be read: {hint}");
        }
    }
    Ok(())
}

/// A time in UTC, to the millisecond: what one sync brought stays in order.
fn time(at: SystemTime) -> String {
    let since = at.duration_since(SystemTime::UNIX_EPOCH);
    let ms = since.map_or(0, |since| {
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    });
    let exact = jiff::Timestamp::from_millisecond(ms);
    exact.map_or_else(|_| "-".to_owned(), |time| format!("{time:.3}"))
}

fn as_json(record: &AuditRecord) -> serde_json::Value {
    let mut value = json!({ "sequence": record.sequence, "at": time(record.at) });
    let more = match &record.entry {
        AuditEntry::Event(event) => json!({
            "action": event.action,
            "call": event.call,
            "outcome": event.outcome.map(vault_client::AuditOutcome::as_str),
            "reason": event.reason,
            "principal": event.principal.map_or("daemon", vault_client::Principal::as_str),
            "label": event.label,
            "address": event.address,
            "uid": event.uid,
            "pid": event.pid,
            "comm": event.comm,
            "unit": event.unit,
            "exe": event.exe,
            "store": event.store,
            "object": event.object,
            "detail": event.detail,
        }),
        AuditEntry::Note { kind, text } => json!({ "kind": kind, "note": text }),
    };
    if let (Some(value), serde_json::Value::Object(more)) = (value.as_object_mut(), more) {
        value.extend(more);
    }
    value
}

fn as_line(record: &AuditRecord) -> String {
    let said = match &record.entry {
        AuditEntry::Event(event) => event_line(event),
        AuditEntry::Note { kind, text } => format!("({kind}) {text}"),
    };
    let number = record.sequence;
    format!(
        "{number:>6}  {}  {}",
        time(record.at),
        output::printable(&said)
    )
}

/// Who, what, to what, and how it came out.
fn event_line(event: &AuditEvent) -> String {
    let action = event.action.strip_prefix("/vault.v1.");
    let action = action.unwrap_or(&event.action);
    let outcome = event
        .outcome
        .map_or("?", vault_client::AuditOutcome::as_str);
    let principal = event
        .principal
        .map_or("daemon", vault_client::Principal::as_str);
    let mut parts = vec![format!("{outcome:<9}"), action.to_owned()];
    parts.extend([&event.store, &event.object, &event.detail].map(Clone::clone));
    if !event.reason.is_empty() {
        parts.push(event.reason.clone());
    }
    parts.push(format!("by {principal}"));
    if !event.label.is_empty() {
        parts.push(format!("`{}`", event.label));
    }
    if !event.address.is_empty() {
        parts.push(format!("from {}", event.address));
    }
    parts.push(process(event));
    parts.retain(|part| !part.is_empty());
    parts.join(" ")
}

/// The process at the other end of the socket.
fn process(event: &AuditEvent) -> String {
    let Some(pid) = event.pid else {
        return String::new();
    };
    let name = if event.comm.is_empty() {
        "process"
    } else {
        &event.comm
    };
    let unit = if event.unit.is_empty() {
        String::new()
    } else {
        format!(", {}", event.unit)
    };
    format!("({name} {pid}{unit})")
}

#[cfg(test)]
mod tests {
    use vault_client::{AuditOutcome, Principal};

    use super::*;

    fn event() -> AuditEvent {
        AuditEvent {
            action: "/vault.v1.Secrets/Get".into(),
            call: 7,
            outcome: Some(AuditOutcome::Done),
            reason: String::new(),
            principal: Some(Principal::Owner),
            label: String::new(),
            address: String::new(),
            uid: Some(1000),
            pid: Some(42),
            comm: "vaultctl".into(),
            unit: "shell.scope".into(),
            exe: "/usr/bin/vaultctl".into(),
            store: String::new(),
            object: "connection:openai".into(),
            detail: String::new(),
        }
    }

    #[test]
    fn a_line_says_who_did_what() {
        let record = |entry| AuditRecord {
            sequence: 3,
            at: SystemTime::UNIX_EPOCH,
            entry,
        };
        let line = as_line(&record(AuditEntry::Event(Box::new(event()))));
        let expected = "     3  1970-01-01T00:00:00.000Z  done      Secrets/Get \
                        connection:openai by owner (vaultctl 42, shell.scope)";
        assert_eq!(line, expected);
        let refused = AuditEvent {
            outcome: Some(AuditOutcome::Refused),
            reason: "PERMISSION_DENIED".into(),
            principal: Some(Principal::Token),
            label: "a script\u{1b}".into(),
            address: "192.0.2.7".into(),
            pid: None,
            ..event()
        };
        let line = as_line(&record(AuditEntry::Event(Box::new(refused))));
        assert!(
            line.ends_with("PERMISSION_DENIED by token `a script\u{FFFD}` from 192.0.2.7"),
            "{line}"
        );
    }
}
