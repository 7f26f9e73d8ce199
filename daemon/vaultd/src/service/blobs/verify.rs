//! The Verify RPC: reads every blob whole, which checks it against its ref, a bounded piece of work
//! at a time; a client that reads slowly keeps no thread.

use std::{ops::ControlFlow, sync::Arc};

use tokio::sync::{mpsc, watch};
use tonic::Status;
use vault_proto::v1::VerifyBlobsResponse;
use vault_store::{
    StoreError, StoreName, StoreResult,
    blobs::{BlobReader, BlobRef, BlobStore},
};

use super::{existing, listing::damaged};
use crate::service::{ANSWER_DEPTH, Answer, PAGE, Services};

/// Bytes that are read between two reports, about.
const STRIDE: u64 = 64 << 20;

/// Starts to verify.
pub(super) async fn begin(
    services: &Services,
    name: StoreName,
) -> Result<Answer<VerifyBlobsResponse>, Status> {
    let closings = services.keeper.closings();
    let verifying = services.with_vault(move |vault| {
        let store = existing(vault, &name)?;
        store.map(Verifying::new).transpose()
    });
    let verifying = verifying.await?;
    let (sender, receiver) = mpsc::channel(ANSWER_DEPTH);
    if let Some(verifying) = verifying {
        tokio::spawn(verifying.run(services.clone(), closings, sender));
    }
    Ok(Answer::new(receiver))
}

/// A walk through the store.
struct Verifying {
    store: Arc<BlobStore>,
    waiting: Vec<(BlobRef, u64)>,
    open: Option<(BlobRef, BlobReader)>,
    totals: VerifyBlobsResponse,
}

impl Verifying {
    /// Looks at what there is: some 40 bytes of memory a blob.
    fn new(store: Arc<BlobStore>) -> StoreResult<Self> {
        let mut waiting = Vec::new();
        let mut totals = VerifyBlobsResponse::default();
        store.list(&mut |listed| {
            match listed {
                Ok(info) => {
                    totals.total_bytes += info.size;
                    waiting.push((info.reference, info.size));
                }
                Err((object, error)) => totals.damaged.push(damaged(object, &error)),
            }
            ControlFlow::Continue(())
        })?;
        totals.total = (waiting.len() + totals.damaged.len()) as u64;
        Ok(Self {
            store,
            waiting,
            open: None,
            totals,
        })
    }

    /// Verifies all of it, until it is done or nobody listens any more.
    async fn run(
        mut self,
        services: Services,
        mut closings: watch::Receiver<u64>,
        sender: mpsc::Sender<Result<VerifyBlobsResponse, Status>>,
    ) {
        loop {
            let step = services.run(move |keeper| {
                let _busy = keeper.busy();
                let step = self.step();
                let report = step.map_err(|error| Box::new(keeper.refusal_of(&error)))?;
                Ok((self, report))
            });
            let sent = match step.await {
                // Not taken, nothing is kept open for a reader who may never come.
                Ok((walked, report)) => {
                    let sent = services.send(&sender, &mut closings, report).await;
                    sent.map(|()| walked)
                }
                Err(status) => Err(status),
            };
            match sent {
                Ok(walked) => self = walked,
                Err(status) => {
                    let _ = sender.send(Err(status)).await;
                    return;
                }
            }
            if self.open.is_none() && self.waiting.is_empty() {
                return;
            }
        }
    }

    /// Reads on for a while.
    fn step(&mut self) -> StoreResult<VerifyBlobsResponse> {
        let (mut read, mut blobs) = (0, 0);
        let mut buffer = Vec::new();
        while read < STRIDE && blobs < PAGE {
            let (reference, mut reader) = if let Some(open) = self.open.take() {
                open
            } else {
                let Some((reference, size)) = self.waiting.pop() else {
                    break;
                };
                match self.store.open_blob(&reference) {
                    Ok(reader) => (reference, reader),
                    Err(error) => {
                        self.failed(&reference, size, error)?;
                        continue;
                    }
                }
            };
            match reader.next(&mut buffer) {
                Ok(()) if buffer.is_empty() => {
                    self.totals.verified += 1;
                    blobs += 1;
                }
                Ok(()) => {
                    read += buffer.len() as u64;
                    self.totals.bytes += buffer.len() as u64;
                    self.open = Some((reference, reader));
                }
                Err(error) => self.failed(&reference, 0, error)?,
            }
        }
        Ok(VerifyBlobsResponse {
            damaged: std::mem::take(&mut self.totals.damaged),
            ..self.totals.clone()
        })
    }

    /// Notes what is wrong with one blob. An error of the vault's own ends the walk.
    fn failed(&mut self, reference: &BlobRef, size: u64, error: StoreError) -> StoreResult<()> {
        match error {
            StoreError::Closed | StoreError::Random => Err(error),
            // Removed meanwhile.
            StoreError::NoSuchBlob(_) => {
                self.totals.total -= 1;
                self.totals.total_bytes = self.totals.total_bytes.saturating_sub(size);
                Ok(())
            }
            error => {
                let found = damaged(reference.to_string(), &error);
                self.totals.damaged.push(found);
                Ok(())
            }
        }
    }
}
