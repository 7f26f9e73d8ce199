//! A client that says what it likes: HTTP/2 frames without the manners of a gRPC library.

use std::path::Path;

use bytes::Bytes;
use h2::{
    RecvStream, SendStream,
    client::{ResponseFuture, SendRequest},
};
use http::{HeaderMap, Request};
use tokio::net::UnixStream;
use tonic::Status;
use vault_client::Error;

/// A connection; its frames are sent and received by a task of their own.
pub(crate) struct Raw(SendRequest<Bytes>);

impl Raw {
    pub(crate) async fn connect(socket: &Path) -> Self {
        let stream = UnixStream::connect(socket).await.expect("connected");
        let (requests, connection) = h2::client::Builder::new()
            // As many at once as it likes, whatever the server will say.
            .initial_max_send_streams(10_000)
            .handshake(stream)
            .await
            .expect("the preface is sent");
        tokio::spawn(connection);
        Self(requests)
    }

    /// Starts a call.
    pub(crate) fn call(&mut self, method: &str) -> (ResponseFuture, SendStream<Bytes>) {
        let request = Request::post(format!("http://vaultd.local{method}"))
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .body(())
            .expect("a request");
        self.0.send_request(request, false).expect("sent")
    }
}

/// A message as gRPC frames it: a flag, the length, the bytes.
pub(crate) fn framed(message: &impl prost::Message) -> Bytes {
    let message = message.encode_to_vec();
    let mut framed = prefix(u32::try_from(message.len()).expect("small"));
    framed.extend(message);
    framed.into()
}

/// What announces a message of this length.
pub(crate) fn prefix(length: u32) -> Vec<u8> {
    let mut prefix = vec![0];
    prefix.extend(length.to_be_bytes());
    prefix
}

/// The failure a call ends with, be it in the headers or after the body.
pub(crate) async fn failure(response: ResponseFuture) -> Error {
    let response = response.await.expect("an answer");
    if let Some(status) = status(response.headers()) {
        return status.into();
    }
    let trailers = trailers(response.into_body()).await;
    status(&trailers).expect("a status").into()
}

async fn trailers(mut body: RecvStream) -> HeaderMap {
    while let Some(data) = body.data().await {
        let data = data.expect("data");
        body.flow_control()
            .release_capacity(data.len())
            .expect("room again");
    }
    body.trailers().await.expect("the end").expect("trailers")
}

fn status(headers: &HeaderMap) -> Option<Status> {
    headers
        .contains_key("grpc-status")
        .then(|| Status::from_header_map(headers))
        .flatten()
}
