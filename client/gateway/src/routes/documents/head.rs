//! What is known of a document, as JSON and as headers.

use std::{collections::BTreeMap, fmt::Write as _};

use http::{HeaderMap, HeaderName, HeaderValue, header::ETAG};
use serde::Serialize;
use serde_json::value::RawValue;
use vault_client::Head;

use crate::{content, failure::Failure, json::time_of_ms, precondition};

const CREATED: HeaderName = HeaderName::from_static("vault-created");
const MODIFIED: HeaderName = HeaderName::from_static("vault-modified");
/// A JSON object of texts, its letters beyond ASCII escaped.
const LABELS: HeaderName = HeaderName::from_static("vault-labels");

/// A head as JSON.
#[derive(Serialize)]
pub(in crate::routes) struct HeadJson<'a> {
    id: &'a str,
    revision: u64,
    content_type: &'a str,
    body_bytes: u64,
    stored_bytes: u64,
    created: String,
    modified: String,
    labels: &'a BTreeMap<String, String>,
    deleted: bool,
    awaiting_migration: bool,
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
            created: time_of_ms(head.created_ms),
            modified: time_of_ms(head.modified_ms),
            labels: &head.labels,
            deleted: head.deleted,
            awaiting_migration: head.awaiting_migration,
            blobs: &head.blobs,
        }
    }
}

/// A head with its body: as JSON where it is, else in base64.
#[derive(Serialize)]
pub(super) struct WithBody<'a> {
    #[serde(flatten)]
    head: HeadJson<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body_base64: Option<String>,
}

impl<'a> WithBody<'a> {
    pub(super) fn new(head: &'a Head, body: &'a [u8]) -> Self {
        let json = if content::is_json(&head.content_type) {
            serde_json::from_slice::<&RawValue>(body).ok()
        } else {
            None
        };
        let other = json.is_none().then(|| data_encoding::BASE64.encode(body));
        Self {
            head: HeadJson::from(head),
            body: json,
            body_base64: other,
        }
    }
}

/// Says in headers what is known of a document.
pub(super) fn write(headers: &mut HeaderMap, head: &Head) {
    let mut insert = |name, text: &str| {
        if let Ok(value) = HeaderValue::from_str(text) {
            headers.insert(name, value);
        }
    };
    insert(ETAG, &precondition::tag(head.revision));
    insert(CREATED, &time_of_ms(head.created_ms));
    insert(MODIFIED, &time_of_ms(head.modified_ms));
    if !head.labels.is_empty()
        && let Ok(labels) = serde_json::to_string(&head.labels)
    {
        insert(LABELS, &ascii(&labels));
    }
}

/// JSON with no letters but those that a header may have.
fn ascii(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for letter in json.chars() {
        // Outside its texts JSON has nothing else, and a DEL is the one that serde leaves in them.
        if matches!(letter, ' '..='~') {
            text.push(letter);
        } else {
            for unit in letter.encode_utf16(&mut [0; 2]) {
                // Writing to a text does not fail.
                let _ = write!(text, "\\u{unit:04x}");
            }
        }
    }
    text
}

/// The labels that a write gives.
pub(super) fn labels(headers: &HeaderMap) -> Result<BTreeMap<String, String>, Failure> {
    let Some(given) = headers.get(LABELS) else {
        return Ok(BTreeMap::new());
    };
    serde_json::from_slice(given.as_bytes())
        .map_err(|_| Failure::invalid("`Vault-Labels` is a JSON object whose values are texts"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_go_through_headers() {
        let text = "{\"ä\":\"😀\u{7f}\\n\"}";
        let value = HeaderValue::from_str(&ascii(text)).expect("fit for a header");
        assert_eq!(value, "{\"\\u00e4\":\"\\ud83d\\ude00\\u007f\\n\"}");
        let mut headers = HeaderMap::new();
        headers.insert(LABELS, value);
        let read = labels(&headers).expect("labels");
        assert_eq!(read["ä"], "😀\u{7f}\n");
        headers.insert(LABELS, HeaderValue::from_static("[1]"));
        assert!(labels(&headers).is_err());
    }
}
