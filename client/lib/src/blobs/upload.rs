//! Content on its way into the vault.

mod source;

use std::{io, pin::pin};

use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncSeek},
    sync::mpsc,
};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;
use vault_proto::{
    UNARY_BODY_LIMIT,
    v1::{
        PutBlobResponse, UploadBlobRequest, UploadBlobResponse,
        upload_blob_request::{Finish, Part, Start},
        upload_blob_response::{Part as Answered, Ready},
    },
};

use self::source::{Once, Seekable, Source};
use super::StoredBlob;
use crate::{Client, Error, feed::unreadable};

/// Chunks that wait to be sent.
const DEPTH: usize = 4;

/// How content is to be put.
#[derive(Clone, Debug, Default)]
pub struct NewBlob {
    /// MIME type; empty means `application/octet-stream`.
    pub content_type: String,
    /// Bytes of the content, where they are known: what is over the limit is refused at once then.
    pub size: Option<u64>,
    /// Names the source, so that a call that breaks off can be taken up again by another of the
    /// same key: at most 64 bytes, such as [`file_resume_key`](crate::file_resume_key) makes. Empty
    /// for a source that is not to be taken up again.
    pub resume_key: Vec<u8>,
    /// The ref it must have, where that is known.
    pub expected: Option<String>,
    /// Ask before anything of the source is read, however small it is.
    pub ask_first: bool,
}

impl Client {
    /// Durably puts whatever a source gives, as one call where it is small. `progress` is told how
    /// many bytes have been sent. Creates a store that is not there.
    ///
    /// Dropped, or where the source fails, it leaves nothing.
    pub async fn upload_blob(
        &self,
        store: &str,
        new: NewBlob,
        source: impl AsyncRead + Unpin,
        progress: impl FnMut(u64),
    ) -> Result<StoredBlob, Error> {
        let new = NewBlob {
            resume_key: Vec::new(),
            ..new
        };
        self.upload_from(store, new, Once(source), progress).await
    }

    /// The same for a source that can go back to its beginning: goes on where an earlier call of
    /// the same resume key ended, if what the daemon kept is what the source begins with.
    pub async fn resume_blob(
        &self,
        store: &str,
        new: NewBlob,
        source: impl AsyncRead + AsyncSeek + Unpin,
        progress: impl FnMut(u64),
    ) -> Result<StoredBlob, Error> {
        self.upload_from(store, new, Seekable(source), progress)
            .await
    }

    async fn upload_from(
        &self,
        store: &str,
        new: NewBlob,
        mut source: impl Source,
        mut progress: impl FnMut(u64),
    ) -> Result<StoredBlob, Error> {
        let mut head = Vec::new();
        let may_be_small = match new.size {
            _ if new.ask_first => false,
            Some(size) => size <= UNARY_BODY_LIMIT as u64,
            // One that can be taken up again is read from its beginning, which was perhaps kept.
            None => new.resume_key.is_empty(),
        };
        if may_be_small {
            let limit = UNARY_BODY_LIMIT as u64 + 1;
            let mut beginning = source.reader().take(limit);
            let read = beginning.read_to_end(&mut head);
            read.await.map_err(|error| unreadable(&error))?;
            if head.len() < UNARY_BODY_LIMIT + 1 && new.expected.is_none() {
                check_size(&new, head.len() as u64)?;
                progress(head.len() as u64);
                return self.put_small(store, &new.content_type, head.into()).await;
            }
            // More than one message holds, or a ref to be compared: a stream. It begins with what
            // was read, and nothing of it was kept before.
            let rest = Once(io::Cursor::new(head).chain(source.reader()));
            return self.stream(store, new, rest, progress).await;
        }
        self.stream(store, new, source, progress).await
    }

    async fn stream(
        &self,
        store: &str,
        new: NewBlob,
        mut source: impl Source,
        mut progress: impl FnMut(u64),
    ) -> Result<StoredBlob, Error> {
        let mut call = Call::begin(self, store, &new).await?;
        let ready = call.ready().await?;
        let resumed = if source
            .begins_with(&ready)
            .await
            .map_err(|error| unreadable(&error))?
        {
            ready.offset
        } else {
            call.restart().await?;
            0
        };
        progress(resumed);
        let put = call.send(&new, source, resumed, &mut progress).await?;
        Ok(StoredBlob::new(put, resumed))
    }
}

/// What was announced must be what came: a file that grows while it is read is not put by halves.
fn check_size(new: &NewBlob, found: u64) -> Result<(), Error> {
    match new.size {
        Some(size) if size != found => Err(Error::Local(format!(
            "the source gave {found} bytes where {size} were expected: it was changed meanwhile"
        ))),
        _ => Ok(()),
    }
}

/// An upload under way.
struct Call {
    requests: mpsc::Sender<UploadBlobRequest>,
    answers: Streaming<UploadBlobResponse>,
}

impl Call {
    async fn begin(client: &Client, store: &str, new: &NewBlob) -> Result<Self, Error> {
        let (requests, receiver) = mpsc::channel(DEPTH);
        let start = Part::Start(Start {
            store: store.to_owned(),
            content_type: new.content_type.clone(),
            size: new.size,
            resume_key: new.resume_key.clone(),
        });
        let mut blobs = client.services.blobs();
        let call = blobs.upload(ReceiverStream::new(receiver));
        // There is room for it.
        let _ = requests.send(request(start)).await;
        let answers = call.await?.into_inner();
        Ok(Self { requests, answers })
    }

    async fn ready(&mut self) -> Result<Ready, Error> {
        match self.answers.message().await?.and_then(|answer| answer.part) {
            Some(Answered::Ready(ready)) => Ok(ready),
            _ => Err(out_of_turn()),
        }
    }

    async fn restart(&mut self) -> Result<(), Error> {
        // Where nobody takes it, the answer says why.
        let _ = self.requests.send(request(Part::Restart(true))).await;
        match self.ready().await?.offset {
            0 => Ok(()),
            _ => Err(out_of_turn()),
        }
    }

    /// Sends what the source has left, and its end. A source that fails ends the call unfinished, so
    /// that the daemon never takes half of something for the whole.
    async fn send(
        self,
        new: &NewBlob,
        mut source: impl Source,
        offset: u64,
        progress: &mut impl FnMut(u64),
    ) -> Result<PutBlobResponse, Error> {
        let Self {
            requests,
            mut answers,
        } = self;
        let finish = Part::Finish(Finish {
            r#ref: new.expected.clone().unwrap_or_default(),
        });
        let feed = async move {
            let mut sent = offset;
            while let Some(chunk) = source.chunk().await.map_err(|error| unreadable(&error))? {
                sent += chunk.len() as u64;
                // Where nobody takes any more, the call has ended, and says why.
                if requests.send(request(Part::Chunk(chunk))).await.is_err() {
                    return Ok::<_, Error>(());
                }
                progress(sent);
            }
            check_size(new, sent)?;
            let _ = requests.send(request(finish)).await;
            Ok(())
        };
        let mut feed = pin!(feed);
        let mut all_sent = false;
        loop {
            tokio::select! {
                biased;
                done = &mut feed, if !all_sent => {
                    done?;
                    all_sent = true;
                }
                answer = answers.message() => {
                    return match answer?.and_then(|answer| answer.part) {
                        Some(Answered::Stored(put)) => Ok(put),
                        _ => Err(out_of_turn()),
                    };
                }
            }
        }
    }
}

fn request(part: Part) -> UploadBlobRequest {
    UploadBlobRequest { part: Some(part) }
}

fn out_of_turn() -> Error {
    Error::Local("the daemon ended the upload before it was complete".to_owned())
}
