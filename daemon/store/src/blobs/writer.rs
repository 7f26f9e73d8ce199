//! Sealing on a thread of its own, while whoever uploads hashes what comes next.
//!
//! Hashing takes about as long as sealing and writing together: side by side, the two take half the
//! time. A small blob is sealed where it is hashed, since a thread costs more than that.

use std::{
    sync::mpsc::{Receiver, SyncSender, sync_channel},
    thread::{self, JoinHandle},
};

use vault_crypto::blob_stream::CHUNK;
use zeroize::Zeroizing;

use super::{file::BATCH, sealer::Sealer};
use crate::error::{StoreError, StoreResult};

/// Batches that wait for the thread.
const WAITING: usize = 1;

/// Bytes of content sealed at once.
pub(super) const BATCH_LEN: usize = BATCH * CHUNK;

/// Plaintext on its way to being sealed.
pub(super) type Batch = Zeroizing<Vec<u8>>;

/// Seals and writes batches, here or on a thread.
pub(super) struct Writer(State);

enum State {
    Here(Sealer),
    Apart(Apart),
    /// A call has failed.
    Lost,
}

struct Apart {
    /// None once no more will come.
    batches: Option<SyncSender<Batch>>,
    /// Batches that were sealed, to be filled again.
    emptied: Receiver<Batch>,
    thread: Option<JoinHandle<StoreResult<Sealer>>>,
}

impl Writer {
    pub(super) const fn new(sealer: Sealer) -> Self {
        Self(State::Here(sealer))
    }

    /// Seals whole chunks; leaves an empty batch in their place. A full one is followed by others,
    /// as a rule, and sealed on a thread.
    pub(super) fn write(&mut self, batch: &mut Batch) -> StoreResult<()> {
        let state = std::mem::replace(&mut self.0, State::Lost);
        self.0 = match state {
            State::Here(mut sealer) if batch.len() < BATCH_LEN => {
                sealer.write(batch)?;
                batch.clear();
                State::Here(sealer)
            }
            State::Here(sealer) => Apart::begin(sealer)?.write(batch)?,
            State::Apart(apart) => apart.write(batch)?,
            State::Lost => return Err(StoreError::Closed),
        };
        Ok(())
    }

    /// Waits until all is written.
    pub(super) fn finish(self) -> StoreResult<Sealer> {
        match self.0 {
            State::Here(sealer) => Ok(sealer),
            State::Apart(apart) => apart.finish(),
            State::Lost => Err(StoreError::Closed),
        }
    }
}

impl Apart {
    fn begin(mut sealer: Sealer) -> StoreResult<Self> {
        let (batches, to_seal) = sync_channel::<Batch>(WAITING);
        let (give_back, emptied) = sync_channel(WAITING + 2);
        let seal = move || {
            for mut batch in to_seal {
                sealer.write(&batch)?;
                batch.clear();
                // Nobody may need it any more.
                let _ = give_back.try_send(batch);
            }
            Ok(sealer)
        };
        let thread = thread::Builder::new().spawn(seal);
        let thread = thread.map_err(|error| {
            StoreError::io(
                "start a thread for",
                std::path::Path::new("an upload"),
                &error,
            )
        })?;
        Ok(Self {
            batches: Some(batches),
            emptied,
            thread: Some(thread),
        })
    }

    fn write(self, batch: &mut Batch) -> StoreResult<State> {
        let room = || Zeroizing::new(Vec::with_capacity(BATCH_LEN));
        let empty = self.emptied.try_recv().unwrap_or_else(|_| room());
        let full = std::mem::replace(batch, empty);
        let sent = self
            .batches
            .as_ref()
            .is_some_and(|to| to.send(full).is_ok());
        if sent {
            return Ok(State::Apart(self));
        }
        // The thread has ended: it says why.
        self.finish().and(Err(StoreError::Closed))
    }

    fn finish(mut self) -> StoreResult<Sealer> {
        self.batches = None;
        let joined = self.thread.take().map(JoinHandle::join);
        let joined = joined.unwrap_or(Ok(Err(StoreError::Closed)));
        joined.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}

impl Drop for Apart {
    /// Whoever takes the upload over must find nobody writing.
    fn drop(&mut self) {
        self.batches = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
