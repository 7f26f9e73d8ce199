//! Attachments of a document, as `documents.proto` defines them: found in a body, put into one, and
//! spliced, so that all the rest of the body stays as it is.

mod content;

use std::{fmt, ops::Range};

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::value::RawValue;

use crate::{AttachmentPolicy, Client, Error};

const ARRAY: &str = "\"attachments\"";

/// Nothing is looked for any deeper.
const DEEPEST: usize = 128;

/// Where the content of an attachment is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum AttachmentContent {
    /// In the body, in base64.
    Inline(String),
    /// In the blob of this ref.
    Blob(String),
}

/// An attachment of a document.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Attachment {
    /// What the application calls it.
    pub name: Option<String>,
    /// Its MIME type.
    pub content_type: Option<String>,
    /// Where its content is.
    pub content: AttachmentContent,
    /// Where the member `data` or `ref` stands in the body, its name included.
    member: Range<usize>,
}

/// The attachments of a body, in their order. Not JSON, it has none.
pub fn attachments(body: &[u8]) -> Result<Vec<Attachment>, Error> {
    let mut found = Vec::new();
    if let Ok(text) = std::str::from_utf8(body)
        && text.contains(ARRAY)
        && let Ok(value) = serde_json::from_str::<&RawValue>(text)
    {
        let mut search = Search {
            text,
            found: &mut found,
        };
        search.look_into(value, false, 0)?;
    }
    found.sort_by_key(|attachment| attachment.member.start);
    Ok(found)
}

/// The body with the content of attachments in it, in base64, in place of their refs.
pub fn with_content(body: &[u8], contents: &[(Attachment, String)]) -> Vec<u8> {
    let mut spliced = Vec::with_capacity(body.len());
    let mut at = 0;
    for (Attachment { member, .. }, base64) in contents {
        spliced.extend_from_slice(&body[at..member.start]);
        spliced.extend_from_slice(br#""data":""#);
        spliced.extend_from_slice(base64.as_bytes());
        spliced.push(b'"');
        at = member.end;
    }
    spliced.extend_from_slice(&body[at..]);
    spliced
}

/// The body, a JSON object, with these values added to its array `attachments`.
pub fn with_attachments(body: &[u8], added: &[String]) -> Result<Vec<u8>, Error> {
    if added.is_empty() {
        return Ok(body.to_vec());
    }
    let unfit = |what: &str| {
        Error::Local(format!(
            "attachments need a body that is a JSON object{what}"
        ))
    };
    let text = std::str::from_utf8(body).map_err(|_| unfit(""))?;
    let object: Members<'_> = serde_json::from_str(text).map_err(|_| unfit(""))?;
    let added = added.join(",");
    let known = object.0.iter().rev().find(|(name, _)| name.get() == ARRAY);
    let (at, with) = if let Some((_, array)) = known {
        let entries: Vec<&RawValue> = serde_json::from_str(array.get())
            .map_err(|_| unfit(", whose member `attachments` is an array"))?;
        let comma = if entries.is_empty() { "" } else { "," };
        let end = place(text, array).end - 1;
        (end, format!("{comma}{added}"))
    } else {
        let comma = if object.0.is_empty() { "" } else { "," };
        let end = text.trim_end().len() - 1;
        (end, format!("{comma}{ARRAY}:[{added}]"))
    };
    Ok([&body[..at], with.as_bytes(), &body[at..]].concat())
}

/// Where a value that was borrowed from `text` stands in it.
fn place(text: &str, value: &RawValue) -> Range<usize> {
    let start = value.get().as_ptr() as usize - text.as_ptr() as usize;
    start..start + value.get().len()
}

struct Search<'a, 'f> {
    text: &'a str,
    found: &'f mut Vec<Attachment>,
}

impl<'a> Search<'a, '_> {
    /// Looks into a value; `attached` where it is, or stands in, an array of attachments.
    fn look_into(
        &mut self,
        value: &'a RawValue,
        attached: bool,
        depth: usize,
    ) -> Result<(), Error> {
        let text = value.get();
        if depth == DEEPEST && text.contains(ARRAY) {
            return Err(Error::Local(
                "the document is nested too deep to look for attachments".to_owned(),
            ));
        }
        let malformed = |error: serde_json::Error| Error::Local(error.to_string());
        if text.starts_with('{') && (attached || text.contains(ARRAY)) {
            let Members(members) = serde_json::from_str(text).map_err(malformed)?;
            if attached {
                self.note(&members);
            }
            for (name, value) in members {
                let array = name.get() == ARRAY && value.get().starts_with('[');
                if array {
                    let entries: Vec<&RawValue> =
                        serde_json::from_str(value.get()).map_err(malformed)?;
                    for entry in entries {
                        let object = entry.get().starts_with('{');
                        self.look_into(entry, object, depth + 1)?;
                    }
                } else {
                    self.look_into(value, false, depth + 1)?;
                }
            }
        } else if text.starts_with('[') && text.contains(ARRAY) {
            let entries: Vec<&RawValue> = serde_json::from_str(text).map_err(malformed)?;
            for entry in entries {
                self.look_into(entry, false, depth + 1)?;
            }
        }
        Ok(())
    }

    fn note(&mut self, members: &[(&'a RawValue, &'a RawValue)]) {
        let text_of = |wanted: &str| {
            let mut named = members.iter().rev();
            let (name, value) = named.find(|(name, _)| name.get() == wanted)?;
            let text: String = serde_json::from_str(value.get()).ok()?;
            Some((
                place(self.text, name).start..place(self.text, value).end,
                text,
            ))
        };
        let inline = text_of("\"data\"").map(|(at, text)| (at, AttachmentContent::Inline(text)));
        let blob = || text_of("\"ref\"").map(|(at, text)| (at, AttachmentContent::Blob(text)));
        let Some((member, content)) = inline.or_else(blob) else {
            return;
        };
        self.found.push(Attachment {
            name: text_of("\"name\"").map(|(_, text)| text),
            content_type: text_of("\"content_type\"").map(|(_, text)| text),
            content,
            member,
        });
    }
}

/// The members of an object, as they are written.
struct Members<'a>(Vec<(&'a RawValue, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Whole;

        impl<'de> Visitor<'de> for Whole {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(Whole)
    }
}

impl Client {
    /// What becomes of the attachments of a store, and every store of blobs that may hold one, the
    /// likeliest first.
    pub async fn attachment_stores(
        &self,
        store: &str,
    ) -> Result<(AttachmentPolicy, Vec<String>), Error> {
        let stores = self.stores().await?;
        let named = stores.iter().find(|known| known.name == store);
        let policy = named.and_then(|known| known.attachments.clone());
        let policy = policy.unwrap_or_default();
        let mut blobs: Vec<String> = stores
            .into_iter()
            .filter(|known| known.kind == "blobs")
            .map(|known| known.name)
            .collect();
        blobs.sort_by_key(|name| *name != policy.blobs);
        Ok((policy, blobs))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(body: &str) -> Vec<String> {
        let found = attachments(body.as_bytes()).expect("found");
        found.into_iter().filter_map(|one| one.name).collect()
    }

    #[test]
    fn attachments_are_found_at_any_depth() {
        let body = r#" {"attachments" : [1, {"name":"a","data":"AA=="}, [{"name":"x","data":""}],
            {"name":"b","ref":"ff","attachments":[{"name":"c","data":""}]}, {"name":"y"}],
            "z":[[{"attachments":[{"name":"d","data":"\u0041A=="}]}]], "w":"\"attachments\":[{"} "#;
        assert_eq!(names(body), ["a", "b", "c", "d"]);
        let found = attachments(body.as_bytes()).expect("found");
        assert_eq!(
            found[3].content,
            AttachmentContent::Inline("AA==".to_owned())
        );
        assert!(names("no JSON: \"attachments\":[{").is_empty());
        let deep = format!("{}\"attachments\"{}", "[".repeat(500), "]".repeat(500));
        assert!(attachments(deep.as_bytes()).is_err());
    }

    #[test]
    fn a_body_is_spliced() {
        let body = br#"{ "n": 1e0, "attachments": [ {"ref" : "ff", "size":1} ], "n": 2 }"#;
        let found = attachments(body).expect("found");
        let contents: Vec<_> = found
            .into_iter()
            .map(|one| (one, "AA==".to_owned()))
            .collect();
        let inlined = with_content(body, &contents);
        let wanted = br#"{ "n": 1e0, "attachments": [ {"data":"AA==", "size":1} ], "n": 2 }"#;
        assert_eq!(inlined, wanted);
        let added = ["{}".to_owned(), "1".to_owned()];
        for (before, after) in [
            ("{}", r#"{"attachments":[{},1]}"#),
            ("{\"a\":1.0} ", r#"{"a":1.0,"attachments":[{},1]} "#),
            (
                r#"{"attachments":[ ],"b":2}"#,
                r#"{"attachments":[ {},1],"b":2}"#,
            ),
            (
                r#"{"attachments":[0],"b":2}"#,
                r#"{"attachments":[0,{},1],"b":2}"#,
            ),
        ] {
            let found = with_attachments(before.as_bytes(), &added).expect("fit");
            assert_eq!(String::from_utf8_lossy(&found), after);
        }
        for unfit in ["[]", "{", r#"{"attachments":1}"#] {
            assert!(
                with_attachments(unfit.as_bytes(), &added).is_err(),
                "{unfit}"
            );
        }
    }
}
