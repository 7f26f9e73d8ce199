//! What stands in for a gateway: gRPC-Web under `/grpc`, and answers that are none.

use std::net::SocketAddr;

use http::{Request, uri::PathAndQuery};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};
use tokio_stream::{StreamExt as _, wrappers::TcpListenerStream};
use tonic::{Request as Call, Response, Status, Streaming, body::Body, transport::Server};
use tonic_types::{ErrorDetails, StatusExt as _};
use tonic_web::GrpcWebLayer;
use tower::{ServiceBuilder, util::MapRequestLayer};
use vault_client::BaseUrl;
use vault_proto::v1::{
    ArchiveSummary, ExportArchiveRequest, ExportArchiveResponse, RestoreArchiveRequest,
    RestoreArchiveResponse, VerifyArchiveRequest, VerifyArchiveResponse,
    archives_server::{Archives, ArchivesServer},
    export_archive_response::Part,
    verify_archive_request::Part as Verified,
};

/// Chunks of an export, and their size.
pub(crate) const CHUNKS: usize = 12;
pub(crate) const CHUNK: usize = 256 << 10;

/// The one token that counts.
pub(crate) const TOKEN: &str = "vaultd_planted";

struct Vault;

fn admit<T>(call: &Call<T>) -> Result<(), Status> {
    let given = call.metadata().get("authorization");
    if given.is_some_and(|given| *given == format!("Bearer {TOKEN}")) {
        return Ok(());
    }
    let details = ErrorDetails::with_error_info("UNAUTHENTICATED", "vaultd", []);
    let code = tonic::Code::Unauthenticated;
    Err(Status::with_error_details(code, "sign in", details))
}

#[tonic::async_trait]
impl Archives for Vault {
    type ExportStream = std::pin::Pin<
        Box<dyn tokio_stream::Stream<Item = Result<ExportArchiveResponse, Status>> + Send>,
    >;

    async fn export(
        &self,
        call: Call<ExportArchiveRequest>,
    ) -> Result<Response<Self::ExportStream>, Status> {
        admit(&call)?;
        let chunks = (0..CHUNKS).map(|_| Part::Chunk(vec![7; CHUNK]));
        let parts = chunks.chain([Part::Summary(ArchiveSummary::default())]);
        let parts: Vec<_> = parts
            .map(|part| Ok(ExportArchiveResponse { part: Some(part) }))
            .collect();
        Ok(Response::new(Box::pin(tokio_stream::iter(parts))))
    }

    async fn verify(
        &self,
        call: Call<Streaming<VerifyArchiveRequest>>,
    ) -> Result<Response<VerifyArchiveResponse>, Status> {
        admit(&call)?;
        let mut stream = call.into_inner();
        let mut summary = ArchiveSummary::default();
        while let Some(message) = stream.next().await {
            if let Some(Verified::Chunk(chunk)) = message?.part {
                summary.bytes += chunk.len() as u64;
            }
        }
        let summary = Some(summary);
        Ok(Response::new(VerifyArchiveResponse { summary }))
    }

    async fn restore(
        &self,
        _: Call<Streaming<RestoreArchiveRequest>>,
    ) -> Result<Response<RestoreArchiveResponse>, Status> {
        Err(Status::unimplemented("not asked for"))
    }
}

/// The path as the daemon has it.
fn without_prefix(mut request: Request<Body>) -> Request<Body> {
    let mut parts = std::mem::take(request.uri_mut()).into_parts();
    let path = parts
        .path_and_query
        .as_ref()
        .map_or("", PathAndQuery::as_str);
    let path = path.strip_prefix("/vault/grpc").unwrap_or("/outside");
    parts.path_and_query = Some(path.parse().expect("a path"));
    *request.uri_mut() = http::Uri::from_parts(parts).expect("an address");
    request
}

async fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("its address");
    (listener, address)
}

fn base(address: SocketAddr) -> BaseUrl {
    let text = format!("http://localhost:{}/vault/", address.port());
    text.parse().expect("a base URL")
}

/// A gateway whose base URL has a path.
pub(crate) async fn gateway() -> BaseUrl {
    let (listener, address) = listen().await;
    let layers = ServiceBuilder::new()
        .layer(MapRequestLayer::new(without_prefix))
        .layer(GrpcWebLayer::new());
    let served = Server::builder()
        .accept_http1(true)
        .layer(layers)
        .add_service(ArchivesServer::new(Vault))
        .serve_with_incoming(TcpListenerStream::new(listener));
    tokio::spawn(served);
    base(address)
}

/// Something that answers one request with `answer`; what it was asked for.
pub(crate) async fn other(answer: String) -> (BaseUrl, tokio::task::JoinHandle<String>) {
    let (listener, address) = listen().await;
    let asked = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a connection");
        let mut head = Vec::new();
        while !head.windows(4).any(|end| end == b"\r\n\r\n") {
            head.push(stream.read_u8().await.expect("a head"));
        }
        stream.write_all(answer.as_bytes()).await.expect("written");
        String::from_utf8(head).expect("text")
    });
    (base(address), asked)
}
