//! A listing, in pages. A client that reads slowly, or not at all, keeps no thread.

use std::ops::ControlFlow;

use prost::Message as _;
use tokio::sync::mpsc;
use tonic::Status;
use vault_proto::{
    CHUNK_LIMIT,
    v1::{ListFilesResponse, list_files_response::Skipped},
};
use vault_store::{
    StoreResult,
    files::{FileStore, Listed},
};

use super::{super::PAGE, file};

/// All of it, ordered by name.
pub(super) fn pages(store: &FileStore, prefix: &str) -> StoreResult<Vec<ListFilesResponse>> {
    let (mut pages, mut page, mut bytes) = (Vec::new(), ListFilesResponse::default(), 0);
    store.list(prefix, &mut |listed| {
        match listed {
            Listed::File(info) => {
                let file = file(&info);
                bytes += file.encoded_len();
                page.files.push(file);
            }
            Listed::Skipped { name, detail } => {
                let skipped = Skipped { name, detail };
                bytes += skipped.encoded_len();
                page.skipped.push(skipped);
            }
        }
        if page.files.len() + page.skipped.len() >= PAGE || bytes >= CHUNK_LIMIT {
            pages.push(std::mem::take(&mut page));
            bytes = 0;
        }
        ControlFlow::Continue(())
    })?;
    if bytes > 0 {
        pages.push(page);
    }
    Ok(pages)
}

/// Sends them, until it is done or nobody listens any more.
pub(super) async fn send(
    pages: Vec<ListFilesResponse>,
    sender: mpsc::Sender<Result<ListFilesResponse, Status>>,
) {
    for page in pages {
        if sender.send(Ok(page)).await.is_err() {
            return;
        }
    }
}
