//! The floors of the wire: a bare tonic server on a Unix socket, in a process of its own, whose unary
//! handler does nothing, and whose streams carry bytes that nobody looks at. As tonic comes, without
//! a layer or a limit of ours.

use std::{
    io::Read as _,
    path::PathBuf,
    process::{Command, Stdio},
    time::Duration,
};

use tempfile::TempDir;
use tokio::{net::UnixListener, sync::mpsc};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{
    Request, Response, Status,
    transport::{Channel, Server},
};
use vault_proto::v1::{
    DoctorRequest, DoctorResponse, InitRequest, InitResponse, LockRequest, LockResponse,
    MoveInRequest, MoveInResponse, StatusRequest, StatusResponse, UnlockRequest, UnlockResponse,
    blobs_client::BlobsClient,
    blobs_server::BlobsServer,
    vault_client::VaultClient,
    vault_server::{Vault, VaultServer},
};

use crate::{
    EMPTY_SERVER, Result,
    bare::Bare,
    daemon::{Process, channel, folder},
};

/// `Lock` has an empty request and an empty response; nothing is locked here.
struct Empty;

#[tonic::async_trait]
impl Vault for Empty {
    async fn lock(
        &self,
        _: Request<LockRequest>,
    ) -> std::result::Result<Response<LockResponse>, Status> {
        Ok(Response::new(LockResponse {}))
    }

    async fn status(
        &self,
        _: Request<StatusRequest>,
    ) -> std::result::Result<Response<StatusResponse>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn init(
        &self,
        _: Request<InitRequest>,
    ) -> std::result::Result<Response<InitResponse>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn doctor(
        &self,
        _: Request<DoctorRequest>,
    ) -> std::result::Result<Response<DoctorResponse>, Status> {
        Err(Status::unimplemented(""))
    }

    type MoveInStream = ReceiverStream<std::result::Result<MoveInResponse, Status>>;

    async fn move_in(
        &self,
        _: Request<MoveInRequest>,
    ) -> std::result::Result<Response<Self::MoveInStream>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn unlock(
        &self,
        _: Request<UnlockRequest>,
    ) -> std::result::Result<Response<UnlockResponse>, Status> {
        Err(Status::unimplemented(""))
    }
}

/// Serves until standard input ends, which it does with the program that started this one.
pub(crate) fn serve(socket: &str) -> Result<()> {
    std::thread::spawn(|| {
        let _ = std::io::stdin().read(&mut [0]);
        std::process::exit(0);
    });
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let listener = UnixListener::bind(socket)?;
        let (sender, receiver) = mpsc::channel(1);
        tokio::spawn(async move {
            loop {
                let accepted = listener.accept().await.map(|(stream, _)| stream);
                if sender.send(accepted).await.is_err() {
                    return;
                }
            }
        });
        let server = Server::builder()
            .add_service(VaultServer::new(Empty))
            .add_service(BlobsServer::new(Bare));
        Ok(server
            .serve_with_incoming(ReceiverStream::new(receiver))
            .await?)
    })
}

/// The running server and a connection to it.
pub(crate) struct EmptyServer {
    client: VaultClient<Channel>,
    channel: Channel,
    _process: Process,
    _folder: TempDir,
}

impl EmptyServer {
    pub(crate) async fn start() -> Result<Self> {
        let folder = folder()?;
        let socket: PathBuf = folder.path().join("socket");
        let process = Command::new(std::env::current_exe()?)
            .arg(EMPTY_SERVER)
            .arg(&socket)
            .stdin(Stdio::piped())
            .spawn()?;
        let process = Process(process);
        let mut tries = 0;
        let channel = loop {
            match channel(&socket).await {
                Ok(channel) => break channel,
                Err(error) if tries == 1000 => return Err(error),
                Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
            }
            tries += 1;
        };
        Ok(Self {
            client: VaultClient::new(channel.clone()),
            channel,
            _process: process,
            _folder: folder,
        })
    }

    /// One empty call.
    pub(crate) async fn call(&mut self) -> Result<()> {
        self.client.lock(LockRequest {}).await?;
        Ok(())
    }

    /// Its bare streams.
    pub(crate) fn blobs(&self) -> BlobsClient<Channel> {
        BlobsClient::new(self.channel.clone())
    }
}
