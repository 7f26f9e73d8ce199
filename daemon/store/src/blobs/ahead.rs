//! Reading and opening on a thread of its own, ahead of whoever hashes and sends.

use std::{
    path::Path,
    sync::mpsc::{Receiver, SyncSender, sync_channel},
    thread::{self, JoinHandle},
};

use zeroize::Zeroizing;

use super::reader::Source;
use crate::error::{StoreError, StoreResult};

/// How many pieces wait to be fetched.
const WAITING: usize = 2;

/// Content in the clear.
pub(super) type Piece = Zeroizing<Vec<u8>>;

/// Pieces of content, opened before they are asked for.
pub(super) struct Ahead {
    /// None once no more are wanted.
    pieces: Option<Receiver<StoreResult<Piece>>>,
    /// Buffers that are to be filled again.
    emptied: SyncSender<Piece>,
    thread: Option<JoinHandle<()>>,
}

impl Ahead {
    pub(super) fn begin(mut source: Source) -> StoreResult<Self> {
        let (opened, pieces) = sync_channel(WAITING);
        let (emptied, empty) = sync_channel::<Piece>(WAITING + 2);
        let open = move || {
            loop {
                let mut piece = empty.try_recv().unwrap_or_default();
                let read = source.next(&mut piece);
                let ends = read.is_err() || piece.is_empty();
                // Nobody may want it any more.
                if opened.send(read.map(|()| piece)).is_err() || ends {
                    return;
                }
            }
        };
        let thread = thread::Builder::new().spawn(open);
        let thread = thread.map_err(|error| {
            StoreError::io("start a thread for", Path::new("a download"), &error)
        })?;
        Ok(Self {
            pieces: Some(pieces),
            emptied,
            thread: Some(thread),
        })
    }

    /// Replaces `buffer` by the next piece.
    pub(super) fn next(&mut self, buffer: &mut Piece) -> StoreResult<()> {
        let pieces = self.pieces.as_ref().ok_or(StoreError::Closed)?;
        let piece = pieces.recv().map_err(|_| StoreError::Closed)??;
        let old = std::mem::replace(buffer, piece);
        let _ = self.emptied.try_send(old);
        Ok(())
    }
}

impl Drop for Ahead {
    /// Keys and plaintext are gone when this is.
    fn drop(&mut self) {
        self.pieces = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
