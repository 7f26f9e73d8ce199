//! Files RPCs.

mod listing;
mod upload;

use std::sync::Arc;

use tokio::sync::mpsc;
use tonic::{Request, Response, Status, Streaming};
use vault_proto::{
    UNARY_BODY_LIMIT,
    v1::{
        DeleteFileRequest, DeleteFileResponse, DownloadFileRequest, DownloadFileResponse, File,
        GetFileRequest, GetFileResponse, ListFilesRequest, ListFilesResponse, PutFileRequest,
        PutFileResponse, StatFileRequest, StatFileResponse, UploadFileRequest, UploadFileResponse,
        download_file_response::Part, files_server::Files,
    },
};
use vault_store::{
    StoreError, StoreResult,
    files::{FileInfo, FileName, FileStore},
};

use super::{ANSWER_DEPTH, Answer, Services, content, convert, stores};

/// The `Files` service.
#[derive(Clone)]
pub struct FilesService(pub Services);

impl FilesService {
    /// Runs `work` on a store of files.
    async fn with_files<T: Send + 'static>(
        &self,
        store: &str,
        work: impl FnOnce(&Arc<FileStore>) -> StoreResult<T> + Send + 'static,
    ) -> Result<T, Status> {
        let name = stores::parse(store)?;
        self.0
            .with_vault(move |vault| work(&vault.files(&name)?))
            .await
    }
}

fn file(info: &FileInfo) -> File {
    File {
        name: info.name.to_string(),
        size: info.size,
        content_type: info.name.content_type().to_owned(),
        modified: Some(convert::timestamp(info.modified_ms)),
        sealed: info.sealed,
    }
}

fn message(part: Part) -> DownloadFileResponse {
    DownloadFileResponse { part: Some(part) }
}

#[tonic::async_trait]
impl Files for FilesService {
    async fn put(
        &self,
        request: Request<PutFileRequest>,
    ) -> Result<Response<PutFileResponse>, Status> {
        let PutFileRequest {
            store,
            name,
            content,
            create,
        } = request.into_inner();
        let store = stores::parse(&store)?;
        let info = self.0.with_vault(move |vault| {
            let name = FileName::parse(&name)?;
            vault.files_or_create(&store)?.put(name, &content, create)
        });
        Ok(Response::new(PutFileResponse {
            file: Some(file(&info.await?)),
        }))
    }

    async fn get(
        &self,
        request: Request<GetFileRequest>,
    ) -> Result<Response<GetFileResponse>, Status> {
        let GetFileRequest { store, name } = request.into_inner();
        let found = self.with_files(&store, move |store| {
            let mut reader = store.open_file(&FileName::parse(&name)?)?;
            let (size, limit) = (reader.info().size, UNARY_BODY_LIMIT as u64);
            if size > limit {
                return Err(StoreError::TooLarge { size, limit });
            }
            let (mut content, mut piece) = (Vec::new(), Vec::new());
            loop {
                reader.next(&mut piece)?;
                if piece.is_empty() {
                    break;
                }
                content.extend_from_slice(&piece);
            }
            let file = Some(file(reader.info()));
            Ok(GetFileResponse { file, content })
        });
        Ok(Response::new(found.await?))
    }

    async fn upload(
        &self,
        request: Request<Streaming<UploadFileRequest>>,
    ) -> Result<Response<UploadFileResponse>, Status> {
        let info = upload::receive(&self.0, request.into_inner()).await?;
        Ok(Response::new(UploadFileResponse {
            file: Some(file(&info)),
        }))
    }

    type DownloadStream = Answer<DownloadFileResponse>;

    async fn download(
        &self,
        request: Request<DownloadFileRequest>,
    ) -> Result<Response<Self::DownloadStream>, Status> {
        let DownloadFileRequest {
            store,
            name,
            offset,
            length,
        } = request.into_inner();
        let closings = self.0.keeper.closings();
        let opened = self.with_files(&store, move |store| {
            let mut reader = store.open_file(&FileName::parse(&name)?)?;
            reader.range(offset, length)?;
            Ok(reader)
        });
        let reader = opened.await?;
        let head = message(Part::File(file(reader.info())));
        let chunk = |chunk| message(Part::Chunk(chunk));
        let answer = content::answer(&self.0, closings, head, reader, chunk);
        Ok(Response::new(answer))
    }

    async fn stat(
        &self,
        request: Request<StatFileRequest>,
    ) -> Result<Response<StatFileResponse>, Status> {
        let StatFileRequest { store, name } = request.into_inner();
        let info = self.with_files(&store, move |store| store.stat(&FileName::parse(&name)?));
        Ok(Response::new(StatFileResponse {
            file: Some(file(&info.await?)),
        }))
    }

    type ListStream = Answer<ListFilesResponse>;

    async fn list(
        &self,
        request: Request<ListFilesRequest>,
    ) -> Result<Response<Self::ListStream>, Status> {
        let ListFilesRequest { store, prefix } = request.into_inner();
        let pages = self.with_files(&store, move |store| listing::pages(store, &prefix));
        let pages = pages.await?;
        let (sender, receiver) = mpsc::channel(ANSWER_DEPTH);
        tokio::spawn(listing::send(pages, sender));
        Ok(Response::new(Answer::new(receiver)))
    }

    async fn delete(
        &self,
        request: Request<DeleteFileRequest>,
    ) -> Result<Response<DeleteFileResponse>, Status> {
        let DeleteFileRequest { store, name } = request.into_inner();
        self.with_files(&store, move |store| store.remove(&FileName::parse(&name)?))
            .await?;
        Ok(Response::new(DeleteFileResponse {}))
    }
}
