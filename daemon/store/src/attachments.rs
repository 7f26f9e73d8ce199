//! Attachments of documents: content that stands in a JSON body, or in a blob that the body names.
//!
//! In a body, every object in an array that is the value of a member `attachments`, at any depth, is
//! one if it has `data` (its content in base64) or `ref` (of a blob). What is large enough becomes a
//! blob; the body is spliced, never written anew, so that all the rest of it stays as it was: the
//! order of members, the spelling of numbers, doubled keys. Names of members count as they are
//! written, without escapes.

mod named;
mod scan;

use std::ops::Range;

use zeroize::Zeroizing;

pub(crate) use named::Named;
pub(crate) use scan::{Attachment, find};

use crate::{
    blobs::{BlobRef, DEFAULT_STORE},
    catalogue::AttachmentOptions,
    error::{StoreError, StoreResult},
    id::StoreName,
};

/// A ref and a size take up to so many bytes of a body: what is smaller is never replaced by them.
const SMALLEST_THRESHOLD: u64 = 128;

/// What an attachment is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AttachmentKind {
    /// A picture.
    Image,
    /// Whatever is none of the others.
    Document,
    /// A film.
    Video,
    /// A recording.
    Audio,
}

impl AttachmentKind {
    /// By the word of its member `kind`, else by its content type.
    fn of(kind: Option<&[u8]>, content_type: Option<&[u8]>) -> Self {
        match kind {
            Some(b"image") => return Self::Image,
            Some(b"document") => return Self::Document,
            Some(b"video") => return Self::Video,
            Some(b"audio") => return Self::Audio,
            _ => {}
        }
        let top = content_type.and_then(|text| text.split(|byte| *byte == b'/').next());
        let is = |word: &[u8]| top.is_some_and(|top| top.eq_ignore_ascii_case(word));
        if is(b"image") {
            Self::Image
        } else if is(b"video") {
            Self::Video
        } else if is(b"audio") {
            Self::Audio
        } else {
            Self::Document
        }
    }
}

impl AttachmentOptions {
    /// From how many bytes an attachment becomes a blob.
    pub fn threshold(&self, kind: AttachmentKind) -> u64 {
        match kind {
            AttachmentKind::Image => self.image.unwrap_or(16 << 10),
            AttachmentKind::Document => self.document.unwrap_or(16 << 10),
            AttachmentKind::Video => self.video.unwrap_or(64 << 10),
            AttachmentKind::Audio => self.audio.unwrap_or(256 << 10),
        }
    }

    /// The store of blobs that takes them.
    pub fn store(&self) -> StoreName {
        let default = || StoreName::parse(DEFAULT_STORE).expect("a good name");
        self.blobs.clone().unwrap_or_else(default)
    }

    /// Refuses thresholds below what a ref takes.
    pub(crate) fn check(&self) -> StoreResult<()> {
        let given = [self.image, self.document, self.video, self.audio];
        if given
            .into_iter()
            .flatten()
            .any(|bytes| bytes < SMALLEST_THRESHOLD)
        {
            return Err(StoreError::InvalidArgument(format!(
                "a threshold of attachments is at least {SMALLEST_THRESHOLD} bytes: a ref takes as many"
            )));
        }
        Ok(())
    }
}

/// A change to a body: these bytes give way to those.
pub(crate) struct Edit {
    range: Range<usize>,
    with: String,
}

impl Edit {
    /// A member `data` gives way to the ref of its content, and to its size where none stands beside
    /// it.
    pub(crate) fn spilled(
        member: &Range<usize>,
        reference: &BlobRef,
        size: u64,
        sizes: &[Range<usize>],
    ) -> Vec<Self> {
        let mut with = format!(r#""ref":"{reference}""#);
        if sizes.is_empty() {
            with = format!(r#"{with},"size":{size}"#);
        }
        let range = member.clone();
        let mut edits = vec![Self { range, with }];
        edits.extend(Self::sized(size, sizes));
        edits
    }

    /// Members `size` get the right value.
    pub(crate) fn sized(size: u64, sizes: &[Range<usize>]) -> impl Iterator<Item = Self> {
        sizes.iter().map(move |range| Self {
            range: range.clone(),
            with: size.to_string(),
        })
    }
}

/// The body with the edits made, which do not overlap.
pub(crate) fn splice(body: &[u8], mut edits: Vec<Edit>) -> Vec<u8> {
    edits.sort_by_key(|edit| edit.range.start);
    let added: usize = edits.iter().map(|edit| edit.with.len()).sum();
    let removed: usize = edits.iter().map(|edit| edit.range.len()).sum();
    let mut spliced = Vec::with_capacity(body.len() + added - removed.min(body.len()));
    let mut at = 0;
    for Edit { range, with } in edits {
        spliced.extend_from_slice(&body[at..range.start]);
        spliced.extend_from_slice(with.as_bytes());
        at = range.end;
    }
    spliced.extend_from_slice(&body[at..]);
    spliced
}

/// The content that the inside of a string literal holds in base64 (RFC 4648, the standard alphabet);
/// padding may be left out. `None` where it is none.
pub(crate) fn decode(literal: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let unescaped;
    let mut text = literal;
    if memchr::memchr(b'\\', literal).is_some() {
        // Some writers escape every slash.
        let quoted = Zeroizing::new([b"\"", literal, b"\""].concat());
        unescaped = Zeroizing::new(serde_json::from_slice::<String>(&quoted).ok()?);
        text = unescaped.as_bytes();
    }
    let bare = text.strip_suffix(b"==").or_else(|| text.strip_suffix(b"="));
    let bare = bare.unwrap_or(text);
    if bare.len() != text.len() && !text.len().is_multiple_of(4) {
        return None;
    }
    let decoded = data_encoding::BASE64_NOPAD.decode(bare);
    decoded.ok().map(Zeroizing::new)
}

#[cfg(test)]
mod tests;
