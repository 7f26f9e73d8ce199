//! Printing: tables for people, JSON Lines for programs.

use std::io::{self, Write as _};

use serde::Serialize;
use vault_client::Head;

use crate::failure::Failure;

/// Prints one line. A reader that went away (`| head`) ends the program without a fuss.
pub(crate) fn line(text: &str) -> Result<(), Failure> {
    raw(text.as_bytes())?;
    raw(b"\n")
}

/// Prints bytes as they are.
pub(crate) fn raw(bytes: &[u8]) -> Result<(), Failure> {
    match io::stdout().lock().write_all(bytes) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => std::process::exit(0),
        Err(error) => Err(Failure::other(format!("cannot write the output: {error}"))),
        Ok(()) => Ok(()),
    }
}

/// Prints a value as one line of JSON.
pub(crate) fn json(value: &impl Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string(value).map_err(|error| Failure::other(error.to_string()))?;
    line(&text)
}

/// Text from outside, made safe to show on a terminal.
pub(crate) fn printable(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { '\u{FFFD}' } else { c })
        .collect()
}

/// A count of things for people.
pub(crate) fn count(number: u64, one: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {one}{plural}")
}

/// A count of bytes for people.
pub(crate) fn size(bytes: u64) -> String {
    indicatif::HumanBytes(bytes).to_string()
}

/// Milliseconds since 1970 as RFC 3339 text in UTC.
pub(crate) fn time(ms: i64) -> String {
    let rounded = jiff::Timestamp::from_second(ms.div_euclid(1000));
    rounded.map_or_else(|_| "-".to_owned(), |time| time.to_string())
}

/// A head as JSON.
#[derive(Serialize)]
pub(crate) struct HeadJson<'a> {
    id: &'a str,
    revision: u64,
    content_type: &'a str,
    body_bytes: u64,
    stored_bytes: u64,
    created: String,
    modified: String,
    labels: &'a std::collections::BTreeMap<String, String>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    deleted: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    awaiting_migration: bool,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    blobs: &'a [String],
}

impl<'a> From<&'a Head> for HeadJson<'a> {
    fn from(head: &'a Head) -> Self {
        Self {
            id: &head.id,
            revision: head.revision,
            content_type: &head.content_type,
            body_bytes: head.body_bytes,
            stored_bytes: head.stored_bytes,
            created: time(head.created_ms),
            modified: time(head.modified_ms),
            labels: &head.labels,
            deleted: head.deleted,
            awaiting_migration: head.awaiting_migration,
            blobs: &head.blobs,
        }
    }
}

/// Prints facts, one a line, each after its name.
pub(crate) fn facts(facts: &[(&str, String)]) -> Result<(), Failure> {
    for (name, value) in facts {
        line(&format!("{name:<12}{value}"))?;
    }
    Ok(())
}

/// Prints rows under headings, in columns as wide as their widest cell.
pub(crate) fn table(headings: &[&str], rows: &[Vec<String>]) -> Result<(), Failure> {
    let mut widths: Vec<usize> = headings.iter().map(|heading| heading.len()).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let headings: Vec<String> = headings
        .iter()
        .map(|heading| (*heading).to_owned())
        .collect();
    for row in std::iter::once(&headings).chain(rows) {
        let cells: Vec<String> = row
            .iter()
            .zip(&widths)
            .map(|(cell, width)| {
                let fill = " ".repeat(width - cell.chars().count());
                format!("{cell}{fill}")
            })
            .collect();
        line(cells.join("  ").trim_end())?;
    }
    Ok(())
}
