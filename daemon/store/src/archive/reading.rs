//! Reading an archive from its beginning to its end, comparing it with what its manifest says.

use std::io::Read;

use vault_crypto::{ContentHash, Identities};
use zeroize::Zeroizing;

use super::{
    ArchiveError, Summary,
    layout::{self, BLOCK, MANIFEST_HEAD, Place},
    manifest::{self, Manifest, Object},
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

impl Reading<'_> {
    /// Reads the next object, which must be this one.
    pub(super) fn body(
        &mut self,
        object: &Object,
        place: Place,
    ) -> Result<Zeroizing<Vec<u8>>, ArchiveError> {
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
        let body = content(&mut self.source, object.size, &object.path)?;
        if object.matches(&body) {
            Ok(body)
        } else {
            Err(ArchiveError::Damaged(format!(
                "`{}` has not the content that the manifest says",
                object.path
            )))
        }
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

/// The content of an entry, and the zeros behind it. `size` was checked against a limit.
fn content(
    source: &mut Source<'_>,
    size: u64,
    name: &str,
) -> Result<Zeroizing<Vec<u8>>, ArchiveError> {
    let size_in_memory = usize::try_from(size)
        .map_err(|_| ArchiveError::Damaged(format!("`{name}` is too large for this machine")))?;
    // Pages of zeros cost nothing until something is read into them: a short file that claims to
    // hold much takes as much memory as it has bytes.
    let mut bytes = Zeroizing::new(vec![0; size_in_memory]);
    let mut zeros = [0; BLOCK];
    let zeros = &mut zeros[..layout::padding(size)];
    let whole = source.fill(&mut bytes)? == bytes.len() && source.fill(zeros)? == zeros.len();
    if !whole {
        return Err(ArchiveError::Damaged(format!(
            "it is cut short in `{name}`"
        )));
    }
    if zeros.iter().any(|byte| *byte != 0) {
        return Err(ArchiveError::Damaged(format!(
            "what follows `{name}` is damaged"
        )));
    }
    Ok(bytes)
}
