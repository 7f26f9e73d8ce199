//! Calls that stream to the daemon and answer once.

use std::{io, pin::pin};

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tonic::{Response, Status};
use vault_proto::CHUNK_LIMIT;

use crate::Error;

/// Runs a call beside the future that feeds its stream. A feed that fails cancels the call. The
/// daemon may see the stream end first, as if all had been sent: what is sent must tell by itself
/// whether it is whole, by a size announced or a last message.
pub(crate) async fn fed<T>(
    feed: impl Future<Output = io::Result<()>>,
    call: impl Future<Output = Result<Response<T>, Status>>,
) -> Result<T, Error> {
    let (mut feed, mut call) = (pin!(feed), pin!(call));
    let mut all_sent = false;
    loop {
        tokio::select! {
            // First, so that a failure to read is told, and not what the daemon says to half a stream.
            biased;
            ended = &mut feed, if !all_sent => {
                ended.map_err(|error| Error::Local(error.to_string()))?;
                all_sent = true;
            }
            response = &mut call => return Ok(response?.into_inner()),
        }
    }
}

/// So many bytes of a source, or what there is to its end: none there.
pub(crate) async fn read(source: &mut (impl AsyncRead + Unpin), limit: usize) -> io::Result<Bytes> {
    let mut read = BytesMut::with_capacity(limit.min(CHUNK_LIMIT));
    let mut source = source.take(limit as u64);
    while source.read_buf(&mut read).await? > 0 {}
    Ok(read.freeze())
}

pub(crate) fn unreadable(error: &io::Error) -> Error {
    Error::Local(format!("the source cannot be read: {error}"))
}
