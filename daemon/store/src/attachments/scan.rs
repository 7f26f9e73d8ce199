//! Finds the attachments of a body that is known to be well-formed JSON, in one pass over it.

use std::ops::Range;

use super::AttachmentKind;
use crate::{
    blobs::BlobRef,
    catalogue::AttachmentOptions,
    error::{StoreError, StoreResult},
};

const ARRAY: &[u8] = b"\"attachments\"";

/// Attachments may have attachments of their own, so deep.
const LEVELS: usize = 32;

/// An attachment that has to be looked at.
#[derive(PartialEq, Eq, Debug)]
pub(crate) enum Attachment {
    /// Its content stands in the body and may be large enough for a blob.
    Inline {
        /// Where the member `data` stands, its name included.
        member: Range<usize>,
        /// Where its value stands, without the quotes.
        literal: Range<usize>,
        /// What it is.
        kind: AttachmentKind,
        /// Where the MIME type stands, without the quotes.
        content_type: Option<Range<usize>>,
        /// Where values of a member `size` stand.
        sizes: Vec<Range<usize>>,
    },
    /// It is a blob.
    Blob {
        /// Its ref.
        reference: BlobRef,
        /// Where values of a member `size` stand.
        sizes: Vec<Range<usize>>,
    },
}

/// The attachments that are blobs or may become some, in no order. A body without the text
/// `"attachments"` costs one search for it; any other one pass in flat memory, whatever its nesting.
pub(crate) fn find(body: &[u8], options: &AttachmentOptions) -> StoreResult<Vec<Attachment>> {
    let mut starts = memchr::memmem::find_iter(body, ARRAY);
    // An escaped quote begins no string.
    let Some(at) = starts.find(|at| !is_escaped(body, *at)) else {
        return Ok(Vec::new());
    };
    let mut scanner = Scanner {
        body,
        at,
        options,
        found: Vec::new(),
    };
    scanner.walk(false, 0)?;
    Ok(scanner.found)
}

/// Whether the byte at `at` stands behind an odd number of backslashes.
fn is_escaped(body: &[u8], at: usize) -> bool {
    let before = body[..at].iter().rev();
    before.take_while(|byte| **byte == b'\\').count() % 2 == 1
}

struct Scanner<'a> {
    body: &'a [u8],
    at: usize,
    options: &'a AttachmentOptions,
    found: Vec<Attachment>,
}

/// The members of an object that matter. Of a member that comes twice, the last counts.
#[derive(Default)]
struct Members {
    data: Vec<(Range<usize>, Range<usize>)>,
    references: Vec<Range<usize>>,
    sizes: Vec<Range<usize>>,
    kind: Option<Range<usize>>,
    content_type: Option<Range<usize>>,
}

impl Scanner<'_> {
    fn peek(&self) -> Option<u8> {
        self.body.get(self.at).copied()
    }

    fn skip(&mut self, skipped: impl Fn(u8) -> bool) {
        while self.peek().is_some_and(&skipped) {
            self.at += 1;
        }
    }

    fn skip_space(&mut self) {
        self.skip(|byte| byte.is_ascii_whitespace());
    }

    /// Passes a string, at whose opening quote it stands; says where its inside is.
    fn string(&mut self) -> Range<usize> {
        let start = self.at + 1;
        self.at = start;
        while let Some(found) = memchr::memchr2(b'"', b'\\', &self.body[self.at..]) {
            self.at += found;
            if self.body[self.at] == b'"' {
                self.at += 1;
                return start..self.at - 1;
            }
            self.at = (self.at + 2).min(self.body.len());
        }
        self.at = self.body.len();
        start.min(self.at)..self.at
    }

    /// Passes values up to the end of the body, or, `within` one that begins here, to its end. Looks
    /// for attachments on the way.
    fn walk(&mut self, within: bool, level: usize) -> StoreResult<()> {
        let mut depth = 0_usize;
        while let Some(byte) = self.peek() {
            match byte {
                b'"' => {
                    let text = self.string();
                    if self.body[text] == ARRAY[1..ARRAY.len() - 1] && self.enters_array() {
                        self.attachments(level)?;
                    }
                    continue;
                }
                b'{' | b'[' => depth += 1,
                b'}' | b']' => {
                    depth = depth.saturating_sub(1);
                    if within && depth == 0 {
                        self.at += 1;
                        return Ok(());
                    }
                }
                _ => {}
            }
            self.at += 1;
        }
        Ok(())
    }

    /// Passes the beginning of an array that is the value of the member whose name was passed just
    /// now, if it is one.
    fn enters_array(&mut self) -> bool {
        let before = self.at;
        self.skip_space();
        if self.peek() == Some(b':') {
            self.at += 1;
            self.skip_space();
            if self.peek() == Some(b'[') {
                self.at += 1;
                return true;
            }
        }
        self.at = before;
        false
    }

    /// Passes the rest of an array of attachments.
    fn attachments(&mut self, level: usize) -> StoreResult<()> {
        if level == LEVELS {
            return Err(refused("are nested too deep"));
        }
        while let Some(byte) = self.peek() {
            match byte {
                b']' => {
                    self.at += 1;
                    return Ok(());
                }
                b'{' => self.object(level + 1)?,
                b'[' => self.walk(true, level + 1)?,
                b'"' => drop(self.string()),
                _ => self.at += 1,
            }
        }
        Ok(())
    }

    /// Passes an object in an array of attachments, and notes what it is.
    fn object(&mut self, level: usize) -> StoreResult<()> {
        let mut members = Members::default();
        self.at += 1;
        loop {
            self.skip(|byte| byte.is_ascii_whitespace() || byte == b',');
            if self.peek() != Some(b'"') {
                self.at += usize::from(self.at < self.body.len());
                break;
            }
            let start = self.at;
            let name = self.string();
            self.skip(|byte| byte.is_ascii_whitespace() || byte == b':');
            let value = self.at;
            match self.peek() {
                Some(b'"') => {
                    let text = self.string();
                    members.take(&self.body[name.clone()], start..self.at, text);
                }
                Some(b'[') if self.body[name.clone()] == ARRAY[1..ARRAY.len() - 1] => {
                    self.at += 1;
                    self.attachments(level)?;
                }
                Some(b'[' | b'{') => self.walk(true, level)?,
                _ => self.skip(|byte| !byte.is_ascii_whitespace() && !b",}]".contains(&byte)),
            }
            if self.body[name] == *b"size" {
                members.sizes.push(value..self.at);
            }
        }
        self.note(members)
    }

    fn note(&mut self, members: Members) -> StoreResult<()> {
        let body = self.body;
        match (&members.data[..], &members.references[..]) {
            ([], []) => {}
            ([], [reference]) => {
                let text = std::str::from_utf8(&body[reference.clone()]).ok();
                let reference = text.and_then(|text| BlobRef::parse(text).ok());
                self.found.push(Attachment::Blob {
                    reference: reference.ok_or_else(|| {
                        refused("have a `ref` that is not 64 lower-case hex digits")
                    })?,
                    sizes: members.sizes,
                });
            }
            ([(member, literal)], []) => {
                let text = |range: &Option<Range<usize>>| range.clone().map(|range| &body[range]);
                let kind = AttachmentKind::of(text(&members.kind), text(&members.content_type));
                // At most so many bytes; most of what stays inline is not even decoded.
                let most = literal.len() as u64 / 4 * 3 + 3;
                if most >= self.options.threshold(kind) {
                    self.found.push(Attachment::Inline {
                        member: member.clone(),
                        literal: literal.clone(),
                        kind,
                        content_type: members.content_type,
                        sizes: members.sizes,
                    });
                }
            }
            ([_, ..], [_, ..]) => return Err(refused("have both `data` and `ref`")),
            _ => return Err(refused("have `data` or `ref` twice")),
        }
        Ok(())
    }
}

impl Members {
    fn take(&mut self, name: &[u8], member: Range<usize>, text: Range<usize>) {
        match name {
            b"data" => self.data.push((member, text)),
            b"ref" => self.references.push(text),
            b"kind" => self.kind = Some(text),
            b"content_type" => self.content_type = Some(text),
            _ => {}
        }
    }
}

fn refused(what: &str) -> StoreError {
    StoreError::InvalidArgument(format!("attachments of the body {what}"))
}
