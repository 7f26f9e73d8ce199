//! An upload: while some chunks are written to the disk, the next are received. A client that sends
//! slowly, or not at all, keeps no thread.

use bytes::Bytes;
use tokio::task::JoinHandle;
use tonic::{Status, Streaming};
use vault_proto::{
    CHUNK_LIMIT,
    v1::{
        UploadFileRequest,
        upload_file_request::{Part, Start},
    },
};
use vault_store::{
    StoreResult,
    files::{FileInfo, FileName, Upload},
};

use super::super::{Services, defect, out_of_turn, stores};

/// Bytes that are written at once.
const TOGETHER: usize = 4 * CHUNK_LIMIT;

/// Receives a file and stores it.
pub(super) async fn receive(
    services: &Services,
    mut stream: Streaming<UploadFileRequest>,
) -> Result<FileInfo, Status> {
    let first = services.next(&mut stream).await?;
    let Some(Part::Start(start)) = first.and_then(|message| message.part) else {
        return Err(out_of_turn("the first message of an upload is its start"));
    };
    let mut writing = Writing::Idle(begin(services, start).await?);
    let mut chunks = Vec::new();
    let mut bytes = 0;
    loop {
        let Some(message) = services.next(&mut stream).await? else {
            return Err(out_of_turn("the upload ended without its finish"));
        };
        let chunk = match message.part {
            Some(Part::Chunk(chunk)) => chunk,
            Some(Part::Finish(_)) => break,
            Some(Part::Start(_)) | None => {
                return Err(out_of_turn(
                    "after the start of an upload come its chunks and its finish",
                ));
            }
        };
        if chunk.is_empty() || chunk.len() > CHUNK_LIMIT {
            return Err(out_of_turn("a chunk is 1 byte to 256 KiB"));
        }
        bytes += chunk.len();
        chunks.push(chunk);
        if bytes >= TOGETHER {
            writing = writing.write(services, std::mem::take(&mut chunks)).await?;
            bytes = 0;
        }
    }
    let upload = writing.settled().await?;
    let finish = move |upload: &mut Option<Upload>| {
        write(upload, &chunks)?;
        // It is there until now, and nobody else takes it.
        upload.take().map(Upload::finish).transpose()
    };
    let (_, info) = upload.work(services, finish).await?;
    info.ok_or_else(defect)
}

async fn begin(services: &Services, start: Start) -> Result<Guarded, Status> {
    let store = stores::parse(&start.store)?;
    let upload = services.with_vault(move |vault| {
        let name = FileName::parse(&start.name)?;
        let store = vault.files_or_create(&store)?;
        store.begin(name, start.create, start.size)
    });
    Ok(Guarded(Some(upload.await?)))
}

fn write(upload: &mut Option<Upload>, chunks: &[Bytes]) -> StoreResult<()> {
    let Some(upload) = upload else {
        return Ok(());
    };
    chunks.iter().try_for_each(|chunk| upload.write(chunk))
}

/// An upload that leaves nothing when its call ends early. To remove what there is of it takes its
/// time, which no async thread has.
struct Guarded(Option<Upload>);

impl Guarded {
    async fn work<T: Send + 'static>(
        mut self,
        services: &Services,
        work: impl FnOnce(&mut Option<Upload>) -> StoreResult<T> + Send + 'static,
    ) -> Result<(Self, T), Status> {
        let done = services.with_vault(move |_| {
            let done = work(&mut self.0)?;
            Ok((self, done))
        });
        done.await
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        if let (Some(upload), Ok(runtime)) = (self.0.take(), tokio::runtime::Handle::try_current())
        {
            runtime.spawn_blocking(move || drop(upload));
        }
    }
}

/// The disk's side: one write at a time.
enum Writing {
    Idle(Guarded),
    UnderWay(JoinHandle<Result<(Guarded, ()), Status>>),
}

impl Writing {
    /// Waits for the write before.
    async fn settled(self) -> Result<Guarded, Status> {
        match self {
            Self::Idle(upload) => Ok(upload),
            Self::UnderWay(writing) => {
                let (upload, ()) = writing.await.map_err(|_| defect())??;
                Ok(upload)
            }
        }
    }

    /// Starts to write these, once those before are written.
    async fn write(self, services: &Services, chunks: Vec<Bytes>) -> Result<Self, Status> {
        let upload = self.settled().await?;
        let services = services.clone();
        let writing = async move {
            let work = move |upload: &mut Option<Upload>| write(upload, &chunks);
            upload.work(&services, work).await
        };
        Ok(Self::UnderWay(tokio::spawn(writing)))
    }
}
