//! Where content comes from.

use std::io::{self, SeekFrom};

use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncRead, AsyncSeek, AsyncSeekExt as _};
use vault_proto::{CHUNK_LIMIT, v1::upload_blob_response::Ready};

use crate::feed::read;

/// Content that is read from its beginning.
pub(super) trait Source {
    /// The content itself.
    fn reader(&mut self) -> &mut (impl AsyncRead + Unpin);

    /// Whether what the daemon kept is what this begins with. If so, this goes on behind it; if
    /// not, it is at its beginning again.
    async fn begins_with(&mut self, kept: &Ready) -> io::Result<bool>;

    /// The next chunk, a full one unless it is the last; `None` at the end.
    async fn chunk(&mut self) -> io::Result<Option<Bytes>> {
        let chunk = read(self.reader(), CHUNK_LIMIT).await?;
        Ok((!chunk.is_empty()).then_some(chunk))
    }
}

/// Content that can be read once.
pub(super) struct Once<S>(pub(super) S);

impl<S: AsyncRead + Unpin> Source for Once<S> {
    fn reader(&mut self) -> &mut (impl AsyncRead + Unpin) {
        &mut self.0
    }

    async fn begins_with(&mut self, kept: &Ready) -> io::Result<bool> {
        // Nothing is kept without a resume key.
        Ok(kept.offset == 0)
    }
}

/// Content that can go back to its beginning.
pub(super) struct Seekable<S>(pub(super) S);

impl<S: AsyncRead + AsyncSeek + Unpin> Source for Seekable<S> {
    fn reader(&mut self) -> &mut (impl AsyncRead + Unpin) {
        &mut self.0
    }

    async fn begins_with(&mut self, kept: &Ready) -> io::Result<bool> {
        let mut hash = Sha256::new();
        let mut left = kept.offset;
        while left > 0 {
            let limit = usize::try_from(left).map_or(CHUNK_LIMIT, |left| left.min(CHUNK_LIMIT));
            let piece = read(&mut self.0, limit).await?;
            if piece.is_empty() {
                break;
            }
            left -= piece.len() as u64;
            hash.update(&piece);
        }
        if left == 0 && hash.finalize().as_slice() == kept.sha256 {
            return Ok(true);
        }
        self.0.seek(SeekFrom::Start(0)).await?;
        Ok(false)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt as _;

    use super::*;

    fn kept(content: &[u8]) -> Ready {
        Ready {
            offset: content.len() as u64,
            sha256: Sha256::digest(content).to_vec(),
        }
    }

    async fn rest(source: &mut impl Source) -> Vec<u8> {
        let mut rest = Vec::new();
        while let Some(chunk) = source.chunk().await.expect("readable") {
            assert!(chunk.len() <= CHUNK_LIMIT);
            rest.extend_from_slice(&chunk);
        }
        rest
    }

    #[tokio::test]
    async fn only_what_the_source_begins_with_is_taken_up() {
        let content: Vec<u8> = (0..700_000_u32).map(|n| n.to_le_bytes()[1]).collect();
        let mut other = content.clone();
        other[300_000] ^= 1;
        let mut longer = content.clone();
        longer.push(0);
        for (kept_of, taken_up) in [
            (&content[..0], 0),
            (&content[..1], 1),
            (&content[..400_000], 400_000),
            (&content[..], content.len()),
            (&other[..400_000], 0),
            (&longer[..], 0),
        ] {
            let mut source = Seekable(io::Cursor::new(content.clone()));
            let same = source.begins_with(&kept(kept_of)).await.expect("readable");
            assert_eq!(same, taken_up > 0 || kept_of.is_empty());
            assert!(rest(&mut source).await == content[taken_up..], "{taken_up}");
        }
    }

    #[tokio::test]
    async fn short_reads_make_full_chunks() {
        let content = vec![7; CHUNK_LIMIT + 5];
        let short = content[..3].chain(&content[3..100]).chain(&content[100..]);
        let mut source = Once(short);
        let first = source.chunk().await.expect("readable").expect("some");
        assert_eq!(first.len(), CHUNK_LIMIT);
        let second = source.chunk().await.expect("readable").expect("some");
        assert_eq!(second.len(), 5);
        assert!(source.chunk().await.expect("readable").is_none());
    }
}
