//! The Download RPC: a thread reads a few chunks at a time, and is not kept while they wait for a
//! slow reader; one that takes nothing for too long is given up, with the thread that reads ahead.

use bytes::Bytes;
use tokio::sync::{mpsc, watch};
use tonic::Status;
use vault_proto::{
    CHUNK_LIMIT,
    v1::{DownloadBlobRequest, DownloadBlobResponse, download_blob_response::Part},
};
use vault_store::{StoreResult, blobs::BlobReader};

use super::{BlobsService, wire};
use crate::service::{ANSWER_DEPTH, Answer, Services};

/// Chunks that are read in one go, while as many wait to be sent.
const BATCH: usize = ANSWER_DEPTH;

type Sender = mpsc::Sender<Result<DownloadBlobResponse, Status>>;

fn message(part: Part) -> DownloadBlobResponse {
    DownloadBlobResponse { part: Some(part) }
}

/// Opens the blob, and leaves the rest to a task.
pub(super) async fn begin(
    service: &BlobsService,
    request: DownloadBlobRequest,
) -> Result<Answer<DownloadBlobResponse>, Status> {
    let closings = service.services.keeper.closings();
    let (offset, length) = (request.offset, request.length);
    let opened = service.with_blob(&request.store, &request.r#ref, move |store, reference| {
        let mut reader = store.open_blob(reference)?;
        // Of a range the hash is not checked, of the whole it is.
        if offset > 0 || length.is_some() {
            reader.range(offset, length)?;
        }
        Ok(reader)
    });
    let reader = opened.await?;
    let (sender, receiver) = mpsc::channel(ANSWER_DEPTH);
    tokio::spawn(run(service.services.clone(), reader, closings, sender));
    Ok(Answer::new(receiver))
}

async fn run(
    services: Services,
    reader: BlobReader,
    closings: watch::Receiver<u64>,
    sender: Sender,
) {
    if let Err(status) = send(&services, reader, closings, &sender).await {
        let _ = sender.send(Err(status)).await;
    }
}

/// Sends it all, or as much as anybody listens to.
async fn send(
    services: &Services,
    mut reader: BlobReader,
    mut closings: watch::Receiver<u64>,
    sender: &Sender,
) -> Result<(), Status> {
    let mut waiting = vec![Part::Blob(wire(reader.info()))];
    loop {
        for part in waiting {
            services.send(sender, &mut closings, message(part)).await?;
        }
        let read = services.run(move |keeper| {
            // A vault that is read from does not lock itself.
            let _busy = keeper.busy();
            let batch = batch(&mut reader);
            let batch = batch.map_err(|error| Box::new(keeper.refusal_of(&error)))?;
            Ok((reader, batch))
        });
        (reader, waiting) = read.await?;
        if waiting.is_empty() {
            return Ok(());
        }
    }
}

/// The next chunks; none at the end.
fn batch(reader: &mut BlobReader) -> StoreResult<Vec<Part>> {
    let mut chunks = Vec::with_capacity(BATCH);
    while chunks.len() < BATCH {
        let mut chunk = Vec::with_capacity(CHUNK_LIMIT);
        reader.next(&mut chunk)?;
        if chunk.is_empty() {
            break;
        }
        chunks.push(Part::Chunk(Bytes::from(chunk)));
    }
    Ok(chunks)
}
