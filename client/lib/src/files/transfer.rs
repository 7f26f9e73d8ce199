//! Files on their way in and out, of any size.

use bytes::Bytes;
use tokio::{io::AsyncRead, sync::mpsc};
use tokio_stream::wrappers::ReceiverStream;
use vault_proto::{
    CHUNK_LIMIT, UNARY_BODY_LIMIT,
    v1::{
        DownloadFileRequest, DownloadFileResponse, PutFileRequest, UploadFileRequest,
        download_file_response, upload_file_request,
    },
};

use super::File;
use crate::{
    Client, ContentRange, Error,
    download::{Content, incomplete},
    feed::{fed, read, unreadable},
};

/// Chunks that wait to be sent.
const DEPTH: usize = 4;

/// How a file is to be put.
#[derive(Clone, Debug, Default)]
pub struct NewFile {
    /// Its name.
    pub name: String,
    /// Bytes of the content, where they are known: what is over the limit is refused at once then.
    pub size: Option<u64>,
    /// Refuse to replace one that is there.
    pub create: bool,
    /// Ask before anything of the source is read, however small it is.
    pub ask_first: bool,
}

/// A file being read.
pub struct FileDownload {
    file: File,
    content: Content<DownloadFileResponse>,
}

impl FileDownload {
    /// What is known of the file.
    pub const fn file(&self) -> &File {
        &self.file
    }

    /// Bytes that come in all: of the file, or of the range that was asked for.
    pub const fn size(&self) -> u64 {
        self.content.size()
    }

    /// The next bytes; `None` at the end, which is reached only if all of them came.
    pub async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        self.content.next().await
    }
}

impl Client {
    /// Durably puts whatever a source gives under a name, in place of what is there. `progress` is
    /// told how many bytes have been sent. Creates a store that is not there.
    ///
    /// Dropped, or where the source fails, it leaves nothing.
    pub async fn put_file(
        &self,
        store: &str,
        new: NewFile,
        mut source: impl AsyncRead + Unpin,
        mut progress: impl FnMut(u64),
    ) -> Result<File, Error> {
        if new.ask_first {
            let upload = self.upload_file(store, new, Bytes::new(), source, progress);
            return upload.await;
        }
        let beginning = read(&mut source, UNARY_BODY_LIMIT).await;
        let beginning = beginning.map_err(|error| unreadable(&error))?;
        if beginning.len() < UNARY_BODY_LIMIT {
            let size = beginning.len() as u64;
            if new.size.is_some_and(|announced| announced != size) {
                return Err(Error::Local(
                    "the source was changed while it was read: try again".to_owned(),
                ));
            }
            let request = PutFileRequest {
                store: store.to_owned(),
                name: new.name,
                content: beginning,
                create: new.create,
            };
            let response = self.services.files().put(request).await?.into_inner();
            progress(size);
            return Ok(response.file.unwrap_or_default().into());
        }
        self.upload_file(store, new, beginning, source, progress)
            .await
    }

    async fn upload_file(
        &self,
        store: &str,
        new: NewFile,
        mut beginning: Bytes,
        mut source: impl AsyncRead + Unpin,
        mut progress: impl FnMut(u64),
    ) -> Result<File, Error> {
        use upload_file_request::{Finish, Part, Start};

        let (sender, receiver) = mpsc::channel(DEPTH);
        let start = Part::Start(Start {
            store: store.to_owned(),
            name: new.name,
            size: new.size,
            create: new.create,
        });
        let feed = async {
            let send = async |part| sender.send(UploadFileRequest { part: Some(part) }).await;
            // Where nobody takes any more, the answer says why.
            if send(start).await.is_err() {
                return Ok(());
            }
            let mut bytes = 0;
            loop {
                let chunk = if beginning.is_empty() {
                    read(&mut source, CHUNK_LIMIT).await?
                } else {
                    beginning.split_to(CHUNK_LIMIT.min(beginning.len()))
                };
                if chunk.is_empty() {
                    break;
                }
                bytes += chunk.len() as u64;
                if send(Part::Chunk(chunk)).await.is_err() {
                    return Ok(());
                }
                progress(bytes);
            }
            let _ = send(Part::Finish(Finish {})).await;
            Ok(())
        };
        let mut files = self.services.files();
        let call = files.upload(ReceiverStream::new(receiver));
        Ok(fed(feed, call).await?.file.unwrap_or_default().into())
    }

    /// Begins to read a file, or a part of it. A range that begins behind the end is refused.
    pub async fn download_file(
        &self,
        store: &str,
        name: &str,
        range: ContentRange,
    ) -> Result<FileDownload, Error> {
        let request = DownloadFileRequest {
            store: store.to_owned(),
            name: name.to_owned(),
            offset: range.offset,
            length: range.length,
        };
        let mut stream = self.services.files().download(request).await?.into_inner();
        let first = stream.message().await?.and_then(|message| message.part);
        let Some(download_file_response::Part::File(file)) = first else {
            return Err(incomplete::<DownloadFileResponse>());
        };
        let file = File::from(file);
        let content = Content::new(stream, range, file.size);
        Ok(FileDownload { file, content })
    }
}
