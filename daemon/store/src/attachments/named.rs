//! The blobs that a body names: every member `ref` whose value is a ref, wherever it stands.

use crate::blobs::BlobRef;

const NAME: &[u8] = b"\"ref\"";
const DIGITS: usize = 64;

/// How many a document's metadata lists, which is bounded at 64 KiB; of more, the body tells.
const LISTED: usize = 256;

/// The blobs that a body names.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Named(Vec<BlobRef>);

impl Named {
    /// Finds them, each once. What is no well-formed JSON may name some, too.
    ///
    /// Inside a string every quote is escaped, so that no text can pass for a member but one that
    /// ends in `\"ref"`: it counts, too, since one name too many keeps a blob and harms nobody.
    pub(crate) fn of(body: &[u8]) -> Self {
        let found = memchr::memmem::find_iter(body, NAME);
        let mut refs: Vec<BlobRef> = found
            .filter_map(|at| value(&body[at + NAME.len()..]))
            .collect();
        refs.sort_unstable_by_key(|reference| *reference.hash().as_bytes());
        refs.dedup();
        Self(refs)
    }

    pub(crate) fn refs(&self) -> &[BlobRef] {
        &self.0
    }

    /// As metadata lists them; `None` where they are too many.
    pub(crate) fn listed(&self) -> Option<Vec<String>> {
        let few = self.0.len() <= LISTED;
        few.then(|| self.0.iter().map(BlobRef::to_string).collect())
    }
}

/// The ref that is the value of a member, from behind the member's name on.
fn value(rest: &[u8]) -> Option<BlobRef> {
    let rest = rest.trim_ascii_start().strip_prefix(b":")?;
    let rest = rest.trim_ascii_start().strip_prefix(b"\"")?;
    let (digits, rest) = rest.split_at_checked(DIGITS)?;
    let text = std::str::from_utf8(digits).ok()?;
    rest.starts_with(b"\"").then(|| BlobRef::parse(text).ok())?
}
