//! The documents of an import: 7,168 conversations, real where they were downloaded.

use std::collections::BTreeMap;

use serde_json::{json, value::RawValue};

use crate::{Result, daemon::target};

const COUNT: u32 = 7_168;
const LARGEST: f64 = 385_000.0;
/// Smallest of a Pareto distribution of exponent 1.5, whose mean is three times as much: 5.6 KB.
const SMALLEST: f64 = 1_900.0;

/// A document: id and JSON.
pub(crate) type Document = (String, Vec<u8>);

/// The documents, and where they come from.
pub(crate) fn load(quick: bool) -> Result<(&'static str, Vec<Document>)> {
    let file = target()?.join("data/dataset.json");
    let (what, mut documents) = if file.exists() {
        let text = std::fs::read_to_string(file)?;
        let all: BTreeMap<String, &RawValue> = serde_json::from_str(&text)?;
        let owned = |(id, body): (String, &RawValue)| (id, body.get().as_bytes().to_vec());
        ("chitchat", all.into_iter().map(owned).collect())
    } else {
        eprintln!("vault-bench: no target/data/dataset.json: a data set of its sizes is made up");
        ("synthetic", synthesise())
    };
    if quick {
        documents.truncate(256);
    }
    Ok((what, documents))
}

/// Conversations of the data set's sizes: 5.6 KB in the mean, 385 KB at most.
fn synthesise() -> Vec<Document> {
    let document = |number: u32| {
        // 2,731 and the count have no common factor: every quantile once, in no order.
        let quantile = (f64::from(number * 2_731 % COUNT) + 0.5) / f64::from(COUNT);
        let size = (SMALLEST * quantile.powf(-1.0 / 1.5)).min(LARGEST);
        let mut messages = Vec::new();
        let mut written = 0.0;
        while written < size - 120.0 {
            let sender = messages.len() % 2;
            let text = format!(
                "message {} of {number}: {:x}",
                messages.len(),
                u128::MAX / 7
            );
            messages.push(json!({ "sender": sender, "text": text }));
            written += 76.0;
        }
        let body = json!({ "id": number, "rating": 3, "messages": messages });
        (
            format!("conversation-{number:05}"),
            body.to_string().into_bytes(),
        )
    };
    (0..COUNT).map(document).collect()
}

/// A JSON document of 1 KiB.
pub(crate) fn kibibyte() -> Vec<u8> {
    let body = json!({ "text": "x".repeat(1024 - br#"{"text":""}"#.len()) }).to_string();
    assert_eq!(body.len(), 1024);
    body.into_bytes()
}
