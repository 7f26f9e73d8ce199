//! Pieces of an import on their way to the thread that writes: what waits is small, but for one row.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use super::parts::Piece;

/// A piece, and the room that it takes until it was written.
pub(super) struct Handed {
    pub(super) piece: Piece,
    pub(super) _long: Option<OwnedSemaphorePermit>,
}

/// Where pieces are handed on.
///
/// One that came in a single message is no larger than that. One with long values may be as large
/// as the size class says, and there is one of these at a time, from its first chunk until it was
/// written.
pub(super) struct Handing {
    sender: mpsc::Sender<Handed>,
    long: Arc<Semaphore>,
    held: Option<OwnedSemaphorePermit>,
}

impl Handing {
    /// With the end where pieces are taken.
    pub(super) fn new() -> (Self, mpsc::Receiver<Handed>) {
        let (sender, receiver) = mpsc::channel(1);
        let (long, held) = (Arc::new(Semaphore::new(1)), None);
        (Self { sender, long, held }, receiver)
    }

    /// Waits until the long values before were written. The piece handed on next keeps the room.
    pub(super) async fn room_for_long(&mut self) {
        if self.held.is_none() {
            // Never closed, and given back even where the one who writes has ended.
            self.held = Arc::clone(&self.long).acquire_owned().await.ok();
        }
    }

    /// Hands a piece on. Returns whether anybody takes it.
    pub(super) async fn hand_on(&mut self, piece: Piece) -> bool {
        let handed = Handed {
            piece,
            _long: self.held.take(),
        };
        self.sender.send(handed).await.is_ok()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    /// Whether it is done without anybody else's doing.
    async fn is_ready<T>(future: impl Future<Output = T>) -> bool {
        timeout(Duration::ZERO, future).await.is_ok()
    }

    fn piece() -> Piece {
        Piece::Rows(Vec::new())
    }

    #[tokio::test]
    async fn one_piece_waits() {
        let (mut handing, mut pieces) = Handing::new();
        assert!(handing.hand_on(piece()).await);
        assert!(!is_ready(handing.hand_on(piece())).await);
        assert!(pieces.recv().await.is_some());
        assert!(is_ready(handing.hand_on(piece())).await);
        drop(pieces);
        assert!(!handing.hand_on(piece()).await);
    }

    #[tokio::test]
    async fn long_values_are_received_once_those_before_were_written() {
        let (mut handing, mut pieces) = Handing::new();
        handing.room_for_long().await;
        // The next chunk of the same row.
        assert!(is_ready(handing.room_for_long()).await);
        assert!(handing.hand_on(piece()).await);
        let written = pieces.recv().await.expect("a piece");
        assert!(
            !is_ready(handing.room_for_long()).await,
            "it is written now"
        );
        assert!(is_ready(handing.hand_on(piece())).await, "a small one");
        drop(written);
        assert!(is_ready(handing.room_for_long()).await);
    }
}
