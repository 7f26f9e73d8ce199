//! The Upload RPC: a task receives, and a thread writes what was received before. While nothing
//! comes no thread is kept.

mod writer;

use bytes::Bytes;
use tokio::sync::{mpsc, watch};
use tonic::{Status, Streaming};
use vault_proto::{
    CHUNK_LIMIT,
    v1::{
        Reason, UploadBlobRequest, UploadBlobResponse,
        upload_blob_request::{Finish, Part, Start},
        upload_blob_response::{Part as Answered, Ready},
    },
};
use vault_store::{
    StoreError,
    blobs::{NewBlob, Upload},
};

use self::writer::Writer;
use super::{parse_ref, store_name, stored};
use crate::{
    error::{refusal, too_large},
    service::{ANSWER_DEPTH, Answer, Services, out_of_turn},
};

/// Bytes that a thread writes at a time. As many more are received meanwhile: that is all an upload
/// keeps in memory.
const BATCH: usize = 1 << 20;

/// Longest resume key, in bytes.
const RESUME_KEY_LIMIT: usize = 64;

/// Takes the first message, and leaves the rest to a task.
pub(super) async fn begin(
    services: Services,
    mut stream: Streaming<UploadBlobRequest>,
) -> Result<Answer<UploadBlobResponse>, Status> {
    let closings = services.keeper.closings();
    let first = services.next(&mut stream).await?;
    let Some(Part::Start(start)) = first.and_then(|first| first.part) else {
        return Err(out_of_turn("the first message of an upload is its start"));
    };
    let name = store_name(&start.store)?;
    let size = start.size;
    let new = new_blob(start)?;
    let resumable = new.resume_key.is_some();
    let begun = services.with_vault(move |vault| vault.blobs_or_create(&name)?.begin(new));
    let upload = begun.await?;
    let (answers, receiver) = mpsc::channel(ANSWER_DEPTH);
    let uploading = Uploading {
        received: upload.kept().0,
        writer: Writer::new(services.clone(), upload),
        services,
        stream,
        closings,
        answers,
        size,
        resumable,
        batch: Vec::new(),
        batch_bytes: 0,
    };
    tokio::spawn(uploading.run());
    Ok(Answer::new(receiver))
}

fn new_blob(start: Start) -> Result<NewBlob, Status> {
    if start.resume_key.len() > RESUME_KEY_LIMIT {
        return Err(out_of_turn("a resume key is at most 64 bytes"));
    }
    Ok(NewBlob {
        content_type: start.content_type,
        size: start.size,
        resume_key: Some(start.resume_key).filter(|key| !key.is_empty()),
    })
}

fn ready(upload: &Upload) -> Answered {
    let (offset, sha256) = upload.kept();
    let sha256 = sha256.to_vec();
    Answered::Ready(Ready { offset, sha256 })
}

struct Uploading {
    services: Services,
    stream: Streaming<UploadBlobRequest>,
    closings: watch::Receiver<u64>,
    answers: mpsc::Sender<Result<UploadBlobResponse, Status>>,
    writer: Writer,
    /// Bytes of the whole content, where the client knows.
    size: Option<u64>,
    /// Of these so many are there, those kept from before included.
    received: u64,
    resumable: bool,
    batch: Vec<Bytes>,
    batch_bytes: usize,
}

impl Uploading {
    async fn run(mut self) {
        let ended = self.receive().await;
        if ended.is_err() && self.resumable {
            // Whatever broke it off, the next call need not send this again.
            let _ = self.flush().await;
            let _ = self.writer.settle().await;
        }
        let answers = self.answers.clone();
        drop(self);
        let answer = ended.map(|part| UploadBlobResponse { part: Some(part) });
        let _ = answers.send(answer).await;
    }

    async fn receive(&mut self) -> Result<Answered, Status> {
        let first = ready(self.writer.settle().await?);
        self.answer(first).await?;
        loop {
            match self.next_part().await? {
                Part::Chunk(chunk) => self.take(chunk).await?,
                Part::Restart(true) => self.restart().await?,
                Part::Finish(finish) => return self.finish(finish).await,
                Part::Start(_) | Part::Restart(false) => {
                    return Err(out_of_turn(
                        "after the start of an upload come its chunks and its finish",
                    ));
                }
            }
        }
    }

    /// The next message, unless the vault is locked first.
    async fn next_part(&mut self) -> Result<Part, Status> {
        let message = tokio::select! {
            message = self.services.next(&mut self.stream) => message?,
            _ = self.closings.changed() => {
                return Err(self.services.keeper.refusal_of(&StoreError::Closed));
            }
        };
        let Some(message) = message else {
            return Err(out_of_turn("the upload ended without its finish"));
        };
        message.part.ok_or_else(|| out_of_turn("an empty message"))
    }

    /// Tells the client something, who has as long to take it as to send something.
    async fn answer(&self, part: Answered) -> Result<(), Status> {
        let message = UploadBlobResponse { part: Some(part) };
        let idle = self.services.stream_idle();
        let sent = self.answers.send_timeout(Ok(message), idle);
        sent.await.map_err(|_| {
            let seconds = idle.as_secs();
            let text = format!("no message was taken for {seconds} seconds");
            refusal(Reason::TimedOut, text, &[])
        })
    }

    async fn take(&mut self, chunk: Bytes) -> Result<(), Status> {
        if chunk.len() > CHUNK_LIMIT {
            return Err(too_large(chunk.len() as u64, CHUNK_LIMIT as u64));
        }
        if chunk.is_empty() {
            return Err(out_of_turn("a chunk is 1 byte to 256 KiB"));
        }
        let received = self.received + chunk.len() as u64;
        if self.size.is_some_and(|size| received > size) {
            return Err(out_of_turn("the chunks are more than the size announced"));
        }
        self.received = received;
        self.batch_bytes += chunk.len();
        self.batch.push(chunk);
        if self.batch_bytes >= BATCH {
            self.flush().await?;
        }
        Ok(())
    }

    /// Hands what was received on to be written, once what came before is.
    async fn flush(&mut self) -> Result<(), Status> {
        self.batch_bytes = 0;
        let batch = std::mem::take(&mut self.batch);
        if batch.is_empty() {
            return Ok(());
        }
        self.writer.write(batch).await
    }

    async fn restart(&mut self) -> Result<(), Status> {
        self.batch = Vec::new();
        self.batch_bytes = 0;
        self.received = 0;
        let again = ready(self.writer.restart().await?);
        self.answer(again).await
    }

    async fn finish(&mut self, finish: Finish) -> Result<Answered, Status> {
        let expected = match finish.r#ref.as_str() {
            "" => None,
            reference => Some(parse_ref(reference)?),
        };
        if self.size.is_some_and(|size| self.received < size) {
            return Err(out_of_turn("the chunks are less than the size announced"));
        }
        self.flush().await?;
        let put = self.writer.finish(expected).await?;
        Ok(Answered::Stored(stored(&put)))
    }
}
