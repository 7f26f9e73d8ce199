//! Content on its way to a client, of any size: a thread reads a few pieces at a time, and is not
//! kept while they wait for a slow reader; one that takes nothing for too long is given up, with
//! whatever is open for it.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use tokio::sync::{mpsc, watch};
use tonic::Status;
use vault_store::{StoreResult, blobs::BlobReader, files::FileReader};

use super::{ANSWER_DEPTH, Answer, Services};

/// Pieces that are read in one go, while as many wait to be sent.
const BATCH: usize = ANSWER_DEPTH;

/// Something open that is read piece by piece.
pub(super) trait Reader: Send + 'static {
    /// Replaces `piece` by what comes next, a chunk at most; by nothing at the end.
    fn next(&mut self, piece: &mut Vec<u8>) -> StoreResult<()>;
}

impl Reader for BlobReader {
    fn next(&mut self, piece: &mut Vec<u8>) -> StoreResult<()> {
        Self::next(self, piece)
    }
}

impl Reader for FileReader {
    fn next(&mut self, piece: &mut Vec<u8>) -> StoreResult<()> {
        Self::next(self, piece)
    }
}

/// Begins to send `head`, then all that `reader` gives. `closings` is from before it was opened.
pub(super) fn answer<M: Send + 'static>(
    services: &Services,
    closings: watch::Receiver<u64>,
    head: M,
    reader: impl Reader,
    chunk: fn(Bytes) -> M,
) -> Answer<M> {
    let (sender, receiver) = mpsc::channel(ANSWER_DEPTH);
    let services = services.clone();
    tokio::spawn(async move {
        let sent = send(&services, closings, &sender, head, reader, chunk).await;
        if let Err(status) = sent {
            let _ = sender.send(Err(status)).await;
        }
    });
    Answer::new(receiver)
}

async fn send<M>(
    services: &Services,
    mut closings: watch::Receiver<u64>,
    sender: &mpsc::Sender<Result<M, Status>>,
    head: M,
    mut reader: impl Reader,
    chunk: fn(Bytes) -> M,
) -> Result<(), Status> {
    services.send(sender, &mut closings, head).await?;
    let mut room = Room::default();
    loop {
        let read = services.run(move |keeper| {
            // A vault that is read from does not lock itself.
            let _busy = keeper.busy();
            let pieces = batch(&mut reader, &room);
            let pieces = pieces.map_err(|error| Box::new(keeper.refusal_of(&error)))?;
            Ok((reader, room, pieces))
        });
        let pieces;
        (reader, room, pieces) = read.await?;
        let last = pieces.len() < BATCH;
        for piece in pieces {
            services.send(sender, &mut closings, chunk(piece)).await?;
        }
        if last {
            return Ok(());
        }
    }
}

/// The next pieces; fewer than a batch at the end.
fn batch(reader: &mut impl Reader, room: &Room) -> StoreResult<Vec<Bytes>> {
    let mut pieces = Vec::with_capacity(BATCH);
    while pieces.len() < BATCH {
        let mut piece = room.take();
        reader.next(&mut piece.content)?;
        if piece.content.is_empty() {
            break;
        }
        pieces.push(Bytes::from_owner(piece));
    }
    Ok(pieces)
}

/// Pieces that were sent, to be filled again: new memory for each would have to be found, and wiped
/// afterwards. There are as many as ever were under way at once.
#[derive(Clone, Default)]
struct Room(Arc<Mutex<Vec<Vec<u8>>>>);

impl Room {
    fn take(&self) -> Piece {
        let kept = self.0.lock().map(|mut kept| kept.pop());
        Piece {
            content: kept.ok().flatten().unwrap_or_default(),
            room: self.clone(),
        }
    }
}

/// Content that is on its way. Its memory goes back to where it came from.
struct Piece {
    content: Vec<u8>,
    room: Room,
}

impl AsRef<[u8]> for Piece {
    fn as_ref(&self) -> &[u8] {
        &self.content
    }
}

impl Drop for Piece {
    fn drop(&mut self) {
        if let Ok(mut kept) = self.room.0.lock() {
            kept.push(std::mem::take(&mut self.content));
        }
    }
}
