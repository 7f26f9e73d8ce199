//! The Download RPC.

use tonic::Status;
use vault_proto::v1::{DownloadBlobRequest, DownloadBlobResponse, download_blob_response::Part};

use super::{BlobsService, wire};
use crate::service::{Answer, content};

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
    let head = message(Part::Blob(wire(reader.info())));
    let chunk = |chunk| message(Part::Chunk(chunk));
    Ok(content::answer(
        &service.services,
        closings,
        head,
        reader,
        chunk,
    ))
}
