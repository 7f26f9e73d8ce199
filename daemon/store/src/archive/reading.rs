//! Reading an archive from its beginning to its end, comparing it with what its manifest says.

use std::io::{self, Read};

use vault_crypto::{ContentHash, Identities};
use zeroize::Zeroizing;

use super::{
    ArchiveError, Summary,
    layout::{self, BLOCK, MANIFEST_HEAD, Place},
    manifest::{self, BodyCheck, Manifest, Object},
    source::Source,
};

/// An archive whose manifest was read; the objects follow, in its order.
pub(super) struct Reading<'a> {
    source: Source<'a>,
    time: u64,
}

/// Opens an archive and reads its manifest.
pub(super) fn open<'a, R: Read + 'a>(
    input: R,
    identities: Option<&Identities<'_>>,
) -> Result<(Manifest, Summary, Reading<'a>), ArchiveError> {
    let mut source = Source::open(input, identities)?;
    let mut head = [0; MANIFEST_HEAD];
    let read = source.fill(&mut head)?;
    if !layout::begins_archive(&head) {
        return Err(ArchiveError::NotAnArchive);
    }
    let parsed = layout::parse_manifest_head(&head).filter(|_| read == head.len());
    let (size, time) = parsed
        .ok_or_else(|| ArchiveError::Damaged("it does not begin with a manifest".to_owned()))?;
    if size > manifest::LIMIT {
        return Err(ArchiveError::Damaged(
            "its manifest is longer than any may be".to_owned(),
        ));
    }
    let bytes = content(&mut source, size, layout::MANIFEST)?;
    let sha256 = ContentHash::of(&bytes);
    // Before it is parsed: damage is called damage, whatever else a damaged manifest may say.
    if layout::manifest_head(size, &sha256.to_string(), time) != head {
        return Err(ArchiveError::Damaged(
            "the manifest is not the one that was written".to_owned(),
        ));
    }
    let manifest = Manifest::parse(&bytes)?;
    if manifest.time() != time {
        return Err(ArchiveError::Damaged(
            "its manifest is of another time".to_owned(),
        ));
    }
    let summary = manifest.summary(sha256)?;
    Ok((manifest, summary, Reading { source, time }))
}

impl<'a> Reading<'a> {
    /// Reads the next object, which must be this one, whole. Its size was checked against a limit.
    pub(super) fn whole(
        &mut self,
        object: &Object,
        place: Place,
    ) -> Result<Zeroizing<Vec<u8>>, ArchiveError> {
        let mut bytes = room(object.size, &object.path)?;
        let mut content = self.body(object, place)?;
        content.next(&mut bytes)?;
        Ok(bytes)
    }

    /// Begins the next object, which must be this one. Its content has to be read to the end before
    /// anything else is.
    pub(super) fn body<'r>(
        &'r mut self,
        object: &'r Object,
        place: Place,
    ) -> Result<Content<'r, 'a>, ArchiveError> {
        let expected = layout::entry_head(&object.path, place, object.size, self.time);
        let mut block = [0; BLOCK];
        for expected in expected.chunks(BLOCK) {
            let read = self.source.fill(&mut block)?;
            if block[..read] != *expected {
                return Err(ArchiveError::Damaged(format!(
                    "where `{}` is expected, {}",
                    object.path,
                    layout::describe(&block[..read])
                )));
            }
        }
        Ok(Content {
            source: &mut self.source,
            object,
            check: Some(object.check_body()),
            right: false,
        })
    }

    /// Makes sure that the archive ends here.
    pub(super) fn finish(mut self) -> Result<(), ArchiveError> {
        let mut end = [0; layout::END.len() + 1];
        let read = self.source.fill(&mut end)?;
        if end[..read] == layout::END {
            return Ok(());
        }
        let what = if read < layout::END.len() {
            "it is cut short at its end".to_owned()
        } else {
            let found = layout::describe(&end[..BLOCK]);
            format!("after the last object, where it should end, {found} and more follows")
        };
        Err(ArchiveError::Damaged(what))
    }
}

/// The content of an object. The last of it is given out only once all of it was found right, as is
/// the end.
pub(super) struct Content<'r, 'a> {
    source: &'r mut Source<'a>,
    object: &'r Object,
    /// None once it was found right, or reading it has failed.
    check: Option<BodyCheck<'r>>,
    right: bool,
}

impl Content<'_, '_> {
    /// Fills `buffer` as far as there is something; returns how far.
    fn next(&mut self, buffer: &mut [u8]) -> Result<usize, ArchiveError> {
        let name = &self.object.path;
        let mut check = match self.check.take() {
            Some(check) => check,
            None if self.right => return Ok(0),
            // Not to be taken for the end by whoever tries again.
            None => return Err(cut_short(name)),
        };
        let left = usize::try_from(check.left()).unwrap_or(usize::MAX);
        let len = left.min(buffer.len());
        let piece = &mut buffer[..len];
        if self.source.fill(piece)? != piece.len() {
            return Err(cut_short(name));
        }
        let read = piece.len();
        if !check.add(piece) || check.left() > 0 {
            self.check = Some(check);
            return Ok(read);
        }
        padding(self.source, self.object.size, name)?;
        self.right = check.finish();
        if self.right {
            Ok(read)
        } else {
            Err(ArchiveError::Damaged(format!(
                "`{name}` has not the content that the manifest says"
            )))
        }
    }
}

impl Read for Content<'_, '_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.next(buffer).map_err(ArchiveError::into_body)
    }
}

fn cut_short(name: &str) -> ArchiveError {
    ArchiveError::Damaged(format!("it is cut short in `{name}`"))
}

/// Room for a content of `size` bytes, which was checked against a limit.
///
/// Pages of zeros cost nothing until something is read into them: a short file that claims to hold
/// much takes as much memory as it has bytes.
fn room(size: u64, name: &str) -> Result<Zeroizing<Vec<u8>>, ArchiveError> {
    let size = usize::try_from(size)
        .map_err(|_| ArchiveError::Damaged(format!("`{name}` is too large for this machine")))?;
    Ok(Zeroizing::new(vec![0; size]))
}

/// The content of the manifest, and the zeros behind it.
fn content(
    source: &mut Source<'_>,
    size: u64,
    name: &str,
) -> Result<Zeroizing<Vec<u8>>, ArchiveError> {
    let mut bytes = room(size, name)?;
    if source.fill(&mut bytes)? != bytes.len() {
        return Err(cut_short(name));
    }
    padding(source, size, name)?;
    Ok(bytes)
}

/// Reads the zeros behind a content.
fn padding(source: &mut Source<'_>, size: u64, name: &str) -> Result<(), ArchiveError> {
    let mut zeros = [0; BLOCK];
    let zeros = &mut zeros[..layout::padding(size)];
    if source.fill(zeros)? != zeros.len() {
        return Err(cut_short(name));
    }
    if zeros.iter().any(|byte| *byte != 0) {
        return Err(ArchiveError::Damaged(format!(
            "what follows `{name}` is damaged"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
