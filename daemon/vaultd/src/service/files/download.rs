//! A download: pieces are read when those before have found room on their way. A client that reads
//! slowly keeps no thread, and one that takes nothing for too long is given up.

use tokio::sync::{mpsc, watch};
use tonic::Status;
use vault_proto::v1::{DownloadFileResponse, download_file_response::Part};
use vault_store::{StoreResult, files::FileReader};

use super::{super::Services, file};

type Sender = mpsc::Sender<Result<DownloadFileResponse, Status>>;

/// Pieces that are read at once.
const TOGETHER: usize = 4;

/// Sends the head and the content, until it is done or nobody listens any more.
pub(super) async fn send(
    services: Services,
    reader: FileReader,
    closings: watch::Receiver<u64>,
    sender: Sender,
) {
    if let Err(status) = send_all(&services, reader, closings, &sender).await {
        let _ = sender.send(Err(status)).await;
    }
}

async fn send_all(
    services: &Services,
    mut reader: FileReader,
    mut closings: watch::Receiver<u64>,
    sender: &Sender,
) -> Result<(), Status> {
    let mut parts = vec![Part::File(file(reader.info()))];
    let mut last = false;
    loop {
        for part in parts {
            let message = DownloadFileResponse { part: Some(part) };
            services.send(sender, &mut closings, message).await?;
        }
        if last {
            return Ok(());
        }
        let read = services.with_vault(move |_| {
            let pieces = pieces(&mut reader)?;
            Ok((reader, pieces))
        });
        let pieces;
        (reader, pieces) = read.await?;
        last = pieces.len() < TOGETHER;
        let chunks = pieces.into_iter();
        parts = chunks.map(|piece| Part::Chunk(piece.into())).collect();
    }
}

fn pieces(reader: &mut FileReader) -> StoreResult<Vec<Vec<u8>>> {
    let mut pieces = Vec::with_capacity(TOGETHER);
    while pieces.len() < TOGETHER {
        let mut piece = Vec::new();
        reader.next(&mut piece)?;
        if piece.is_empty() {
            break;
        }
        pieces.push(piece);
    }
    Ok(pieces)
}
