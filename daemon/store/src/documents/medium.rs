//! How a document becomes a file: sealed, or plain by design.
//!
//! A *record* is the byte form of one revision of one document, as it stands in a journal. The
//! rest of the module `documents` knows no other difference between the two kinds of protection.

use std::path::PathBuf;

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use vault_crypto::{Address, ContentHash, EnvelopeError, Header, KeyId, ObjectName, envelope};
use zeroize::Zeroizing;

use super::{
    folders::Folders,
    metadata::{Head, JSON, Metadata},
};
use crate::{
    catalogue::Protection,
    durable,
    error::{StoreError, StoreResult},
    id::{DocumentId, Revision},
    kind::{Part, StoreContext},
};

/// First bytes of a plain record and of a plain document's head file.
const PLAIN_MAGIC: [u8; 4] = *b"{\"v\"";

/// Bytes that do not stand for themselves in the file name of a plain document: what some system does
/// not take in one.
pub(crate) const ESCAPED: &AsciiSet = &CONTROLS
    .add(b'%')
    .add(b'/')
    .add(b'\\')
    .add(b':')
    .add(b'*')
    .add(b'?')
    .add(b'"')
    .add(b'<')
    .add(b'>')
    .add(b'|');

/// What reading a record gave.
pub(crate) struct Opened {
    pub(crate) revision: Revision,
    /// The key it is sealed with; none of a plain record.
    pub(crate) key_id: Option<KeyId>,
    pub(crate) metadata: Metadata,
    /// Length of the whole record, in bytes.
    pub(crate) len: u64,
}

/// A record, ready to be written.
pub(crate) struct Encoded {
    pub(crate) record: Vec<u8>,
    /// The key it is sealed with; none of a plain record.
    pub(crate) key_id: Option<KeyId>,
}

/// The conversion between documents and records, for one store.
pub(crate) struct Medium {
    context: StoreContext,
    folders: Folders,
}

impl Medium {
    pub(crate) fn new(context: StoreContext, folders: Folders) -> Self {
        Self { context, folders }
    }

    pub(crate) fn is_plain(&self) -> bool {
        self.context.record.protection == Protection::Plain
    }

    /// The name of the file a document lies in.
    pub(crate) fn object_name(&self, id: &DocumentId) -> ObjectName {
        let store = self.context.record.id;
        self.context
            .names
            .object_name(store.as_bytes(), id.as_str().as_bytes())
    }

    /// How errors name a document.
    pub(crate) fn describe(&self, id: &str) -> String {
        format!("document `{id}` in store `{}`", self.context.record.name)
    }

    /// Whether a document is acceptable here, beyond what every store asks.
    pub(crate) fn check(&self, id: &DocumentId, content_type: &str) -> StoreResult<()> {
        check(self.context.record.protection, id, content_type)
    }

    /// The record of one revision.
    pub(crate) fn encode(
        &self,
        name: &ObjectName,
        revision: Revision,
        metadata: &Metadata,
        body: &[u8],
    ) -> StoreResult<Encoded> {
        let failed = |error| StoreError::damaged(self.describe(&metadata.id), error);
        let json = Zeroizing::new(serde_json::to_vec(metadata).map_err(failed)?);
        let too_large = || {
            StoreError::InvalidArgument(
                "id, content type and labels together are over 64 KiB".to_owned(),
            )
        };
        if self.is_plain() {
            let fits = json.len() <= envelope::METADATA_LIMIT;
            let encode = || Encoded {
                record: plain_record(revision, &json, body),
                key_id: None,
            };
            return fits.then(encode).ok_or_else(too_large);
        }
        let ring = self.context.keys.ring();
        let (key_id, key) = ring.current()?;
        let sealed = envelope::seal(key, key_id, &self.address(name, revision), &json, body);
        let record = sealed.map_err(|error| match error {
            EnvelopeError::TooLarge => too_large(),
            other => StoreError::envelope(self.describe(&metadata.id), &other),
        })?;
        Ok(Encoded {
            record,
            key_id: Some(key_id),
        })
    }

    pub(super) fn address<'a>(&'a self, name: &'a ObjectName, revision: Revision) -> Address<'a> {
        Address {
            vault: self.context.vault,
            store: self.context.record.id.as_bytes(),
            object: name.as_bytes(),
            revision: revision.0,
        }
    }

    /// How many bytes of a record its head takes, judged by its first bytes.
    pub(crate) fn head_len(&self, beginning: &[u8]) -> StoreResult<usize> {
        let damaged = || StoreError::damaged("the record", "it is cut short or malformed");
        if self.is_plain() {
            let header = beginning
                .first_chunk::<PLAIN_HEADER>()
                .ok_or_else(damaged)?;
            return plain_head_len(header).ok_or_else(damaged);
        }
        let header = Header::parse(beginning);
        header
            .map(|header| header.head_len())
            .map_err(|error| StoreError::envelope("the file", &error))
    }

    /// Opens the head of the record found under `name` and checks that it belongs there.
    pub(crate) fn open_head(&self, name: &ObjectName, head: &[u8]) -> StoreResult<Opened> {
        let object = || format!("object {name} in store `{}`", self.context.record.name);
        let opened = if self.is_plain() {
            let (revision, json, len) = split_plain(head).ok_or_else(|| {
                StoreError::damaged(object(), "the head is cut short or malformed")
            })?;
            let metadata: Metadata =
                serde_json::from_slice(json).map_err(|e| StoreError::damaged(object(), e))?;
            if metadata.size > envelope::BODY_LIMIT {
                return Err(StoreError::damaged(object(), "no body is that large"));
            }
            let len = len as u64 + metadata.size;
            Opened {
                revision,
                key_id: None,
                metadata,
                len,
            }
        } else {
            let header =
                Header::parse(head).map_err(|error| StoreError::envelope(object(), &error))?;
            let revision = Revision(header.revision());
            let json = self.open(name, revision, head, Part::Metadata, &object)?;
            let metadata =
                serde_json::from_slice(&json).map_err(|e| StoreError::damaged(object(), e))?;
            Opened {
                revision,
                key_id: Some(header.key_id()),
                metadata,
                len: header.envelope_len(),
            }
        };
        let id = DocumentId::parse(&opened.metadata.id);
        if id.is_ok_and(|id| self.object_name(&id) == *name) {
            Ok(opened)
        } else {
            Err(StoreError::damaged(
                object(),
                "it holds another document's metadata",
            ))
        }
    }

    /// Opens a part of a sealed record with the key that its header names.
    fn open(
        &self,
        name: &ObjectName,
        revision: Revision,
        bytes: &[u8],
        part: Part,
        object: &dyn Fn() -> String,
    ) -> StoreResult<Zeroizing<Vec<u8>>> {
        let address = self.address(name, revision);
        self.context.open_envelope(address, bytes, part, object)
    }

    /// Opens the body of a whole record, which must be that of `head`.
    pub(crate) fn open_body(
        &self,
        name: &ObjectName,
        head: &Head,
        record: &[u8],
    ) -> StoreResult<Zeroizing<Vec<u8>>> {
        let object = || self.describe(head.id.as_str());
        if self.is_plain() {
            let (revision, _, len) = split_plain(record)
                .ok_or_else(|| StoreError::damaged(object(), "the record is malformed"))?;
            let body = Zeroizing::new(record[len..].to_vec());
            let whole = revision == head.revision && body.len() as u64 == head.metadata.size;
            return if whole {
                Ok(body)
            } else {
                Err(StoreError::damaged(
                    object(),
                    "the record is not the one expected here",
                ))
            };
        }
        self.open(name, head.revision, record, Part::Body, &object)
    }

    /// The ordinary file of a plain document.
    pub(crate) fn plain_path(&self, id: &DocumentId) -> PathBuf {
        self.folders.plain.join(plain_file_name(id))
    }

    /// Reads a plain document's ordinary file; one that is sealed is opened.
    ///
    /// `None` where there is none. The file may have been edited by others: that is what plain is.
    pub(crate) fn read_plain(&self, id: &DocumentId) -> StoreResult<Option<Zeroizing<Vec<u8>>>> {
        let path = self.plain_path(id);
        let limit = self.context.body_limit + (1 << 20);
        let Some(bytes) = durable::read(self.context.root.fs(), &path, limit)? else {
            return Ok(None);
        };
        if !bytes.starts_with(&envelope::MAGIC) {
            return Ok(Some(Zeroizing::new(bytes)));
        }
        let name = self.object_name(id);
        let object = || self.describe(id.as_str());
        let header =
            Header::parse(&bytes).map_err(|error| StoreError::envelope(object(), &error))?;
        let revision = Revision(header.revision());
        self.open(&name, revision, &bytes, Part::Body, &object)
            .map(Some)
    }

    /// Whether a plain document's ordinary file still holds what its head says.
    pub(crate) fn plain_matches(head: &Head, body: &[u8]) -> bool {
        head.metadata.hash() == Some(ContentHash::of(body))
    }
}

/// See [`Medium::check`].
pub(crate) fn check(
    protection: Protection,
    id: &DocumentId,
    content_type: &str,
) -> StoreResult<()> {
    if protection == Protection::Plain {
        if content_type != JSON {
            return Err(StoreError::InvalidArgument(format!(
                "a plain store holds {JSON} files only, not `{content_type}`"
            )));
        }
        if plain_file_name(id).len() > 240 {
            return Err(StoreError::InvalidArgument(
                "the id is too long for a file name of a plain store".to_owned(),
            ));
        }
    }
    Ok(())
}

/// The file name of a plain document.
pub(crate) fn plain_file_name(id: &DocumentId) -> String {
    // A leading dot would hide the file; `.` and `..` would be no file at all.
    let text = id.as_str();
    let encoded = utf8_percent_encode(text, ESCAPED).to_string();
    match encoded.strip_prefix('.') {
        Some(rest) => format!("%2E{rest}.json"),
        None => format!("{encoded}.json"),
    }
}

/// The id of a plain document from its file name, if it has the form [`plain_file_name`] gives.
pub(crate) fn plain_id(file_name: &str) -> Option<DocumentId> {
    let encoded = file_name.strip_suffix(".json")?;
    let decoded = percent_encoding::percent_decode_str(encoded)
        .decode_utf8()
        .ok()?;
    let id = DocumentId::parse(&decoded).ok()?;
    (plain_file_name(&id) == file_name).then_some(id)
}

/// `{"v":1,"revision":<20 digits>,"bytes":<10 digits>,"head":` — fixed width, then the head's JSON
/// and `}\n`, then the body: readable by people, parsed by position.
const PLAIN_HEADER: usize = 65;

/// Anybody may edit a head file; none may bring the count of changes to its end.
const PLAIN_REVISION_LIMIT: u64 = 1 << 62;

fn plain_header(revision: Revision, json_len: usize) -> String {
    let header = format!(
        r#"{{"v":1,"revision":{:>20},"bytes":{:>10},"head":"#,
        revision.0, json_len
    );
    debug_assert_eq!(header.len(), PLAIN_HEADER);
    header
}

/// The record, or with an empty body the head file, of a plain document.
pub(crate) fn plain_record(revision: Revision, json: &[u8], body: &[u8]) -> Vec<u8> {
    [
        plain_header(revision, json.len()).as_bytes(),
        json,
        b"}\n",
        body,
    ]
    .concat()
}

fn plain_head_len(header: &[u8; PLAIN_HEADER]) -> Option<usize> {
    let (_, json_len) = parse_plain_header(header)?;
    PLAIN_HEADER.checked_add(json_len)?.checked_add(2)
}

fn parse_plain_header(header: &[u8; PLAIN_HEADER]) -> Option<(Revision, usize)> {
    if header[..4] != PLAIN_MAGIC {
        return None;
    }
    let text = std::str::from_utf8(header).ok()?;
    let revision = text.get(18..38)?.trim_start().parse::<u64>().ok()?;
    if revision > PLAIN_REVISION_LIMIT {
        return None;
    }
    let json_len = text.get(47..57)?.trim_start().parse().ok()?;
    (text == plain_header(Revision(revision), json_len)).then_some((Revision(revision), json_len))
}

/// Revision, head JSON and length of the head of a plain record.
pub(crate) fn split_plain(record: &[u8]) -> Option<(Revision, &[u8], usize)> {
    let header = record.first_chunk::<PLAIN_HEADER>()?;
    let (revision, json_len) = parse_plain_header(header)?;
    let end = PLAIN_HEADER.checked_add(json_len)?;
    let json = record.get(PLAIN_HEADER..end)?;
    (record.get(end..end + 2)? == b"}\n").then_some((revision, json, end + 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_file_names_are_reversible_and_stay_in_their_folder() {
        for text in ["a", "a/b", "..", ".hidden", "50%", "ünï", "a:b*c", "x.json"] {
            let id = DocumentId::parse(text).expect("valid");
            let name = plain_file_name(&id);
            assert!(!name.contains('/') && !name.starts_with('.'), "{name}");
            assert_eq!(plain_id(&name), Some(id));
        }
        assert_eq!(plain_id("a%2fb.json"), None, "only the one spelling counts");
        assert_eq!(plain_id("notes.txt"), None);
    }

    #[test]
    fn plain_records_split_where_they_were_joined() {
        let record = plain_record(Revision(PLAIN_REVISION_LIMIT), br#"{"id":"a"}"#, b"body");
        let (revision, json, len) = split_plain(&record).expect("whole");
        assert_eq!(
            (revision, json),
            (Revision(PLAIN_REVISION_LIMIT), br#"{"id":"a"}"#.as_slice())
        );
        assert_eq!(&record[len..], b"body");
        for cut in 0..len {
            assert!(split_plain(&record[..cut]).is_none(), "cut at {cut}");
        }
    }
}
