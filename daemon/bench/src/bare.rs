//! Bare streams of the messages that carry blobs: what tonic and the socket cost by themselves.

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming, transport::Channel};
use vault_proto::v1::{
    CollectBlobsRequest, CollectBlobsResponse, DeleteBlobRequest, DeleteBlobResponse,
    DownloadBlobRequest, DownloadBlobResponse, GetBlobRequest, GetBlobResponse, ListBlobsRequest,
    ListBlobsResponse, PutBlobRequest, PutBlobResponse, StatBlobRequest, StatBlobResponse,
    UploadBlobRequest, UploadBlobResponse, VerifyBlobsRequest, VerifyBlobsResponse,
    blobs_client::BlobsClient, blobs_server::Blobs, download_blob_response, upload_blob_request,
};

use crate::Result;

/// Messages that wait, on either side.
const DEPTH: usize = 4;

type Answered<T> = std::result::Result<Response<T>, Status>;
type Answer<T> = ReceiverStream<std::result::Result<T, Status>>;

/// Takes and gives bytes.
pub(crate) struct Bare;

fn none<T>() -> Answered<T> {
    Err(Status::unimplemented(""))
}

#[tonic::async_trait]
impl Blobs for Bare {
    type UploadStream = Answer<UploadBlobResponse>;

    /// Answers when all of it has come.
    async fn upload(
        &self,
        request: Request<Streaming<UploadBlobRequest>>,
    ) -> Answered<Self::UploadStream> {
        let mut stream = request.into_inner();
        while stream.message().await?.is_some() {}
        let (sender, receiver) = mpsc::channel(1);
        let _ = sender.send(Ok(UploadBlobResponse::default())).await;
        Ok(Response::new(ReceiverStream::new(receiver)))
    }

    type DownloadStream = Answer<DownloadBlobResponse>;

    /// As many bytes as `length` says, in messages of `offset` bytes.
    async fn download(
        &self,
        request: Request<DownloadBlobRequest>,
    ) -> Answered<Self::DownloadStream> {
        let request = request.into_inner();
        let size = usize::try_from(request.offset).map_err(|_| Status::internal(""))?;
        let chunk = Bytes::from(vec![7; size]);
        let count = request.length.unwrap_or_default() / request.offset;
        let (sender, receiver) = mpsc::channel(DEPTH);
        tokio::spawn(async move {
            for _ in 0..count {
                let part = Some(download_blob_response::Part::Chunk(chunk.clone()));
                if sender
                    .send(Ok(DownloadBlobResponse { part }))
                    .await
                    .is_err()
                {
                    return;
                }
            }
        });
        Ok(Response::new(ReceiverStream::new(receiver)))
    }

    async fn put(&self, _: Request<PutBlobRequest>) -> Answered<PutBlobResponse> {
        none()
    }

    async fn get(&self, _: Request<GetBlobRequest>) -> Answered<GetBlobResponse> {
        none()
    }

    async fn stat(&self, _: Request<StatBlobRequest>) -> Answered<StatBlobResponse> {
        none()
    }

    type ListStream = Answer<ListBlobsResponse>;

    async fn list(&self, _: Request<ListBlobsRequest>) -> Answered<Self::ListStream> {
        none()
    }

    async fn delete(&self, _: Request<DeleteBlobRequest>) -> Answered<DeleteBlobResponse> {
        none()
    }

    type CollectStream = Answer<CollectBlobsResponse>;

    async fn collect(&self, _: Request<CollectBlobsRequest>) -> Answered<Self::CollectStream> {
        none()
    }

    type VerifyStream = Answer<VerifyBlobsResponse>;

    async fn verify(&self, _: Request<VerifyBlobsRequest>) -> Answered<Self::VerifyStream> {
        none()
    }
}

/// Sends `total` bytes in messages of `size`.
pub(crate) async fn upload(
    mut client: BlobsClient<Channel>,
    total: usize,
    size: usize,
) -> Result<()> {
    let (sender, receiver) = mpsc::channel(DEPTH);
    let chunk = Bytes::from(vec![7; size]);
    let feed = tokio::spawn(async move {
        for _ in 0..total / size {
            let part = Some(upload_blob_request::Part::Chunk(chunk.clone()));
            if sender.send(UploadBlobRequest { part }).await.is_err() {
                return;
            }
        }
    });
    let mut answers = client
        .upload(ReceiverStream::new(receiver))
        .await?
        .into_inner();
    while answers.message().await?.is_some() {}
    Ok(feed.await?)
}

/// Takes `total` bytes in messages of `size`.
pub(crate) async fn download(
    mut client: BlobsClient<Channel>,
    total: usize,
    size: usize,
) -> Result<()> {
    let request = DownloadBlobRequest {
        offset: size as u64,
        length: Some(total as u64),
        ..DownloadBlobRequest::default()
    };
    let mut answers = client.download(request).await?.into_inner();
    let mut left = total;
    while let Some(message) = answers.message().await? {
        if let Some(download_blob_response::Part::Chunk(chunk)) = message.part {
            left -= chunk.len();
        }
    }
    if left > 0 {
        return Err("the stream came incomplete".into());
    }
    Ok(())
}
