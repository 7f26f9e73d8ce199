//! Callers other than the owner: what they send with their calls.

use std::net::{SocketAddr, TcpListener, TcpStream};

use prost::Message as _;
use tonic::{
    Request, Response, Status,
    metadata::MetadataValue,
    service::{Interceptor, interceptor::InterceptedService},
    transport::Channel,
};
use vault_client::Error;
use vault_proto::v1::{
    AuthStatusRequest, AuthStatusResponse, CreateTokenRequest, CreateTokenResponse,
    GetDocumentRequest, GetDocumentResponse, HttpRequest, Permission, PutDocumentRequest,
    PutDocumentResponse, Scope, auth_client::AuthClient, documents_client::DocumentsClient,
    tokens_client::TokensClient,
};

use super::Daemon;

/// A channel whose calls carry what somebody sends.
pub(crate) type Calls = InterceptedService<Channel, Sent>;

/// What a caller sends with each call.
#[derive(Clone, Default)]
pub(crate) struct Sent {
    pub(crate) http: Option<HttpRequest>,
    pub(crate) bearer: Option<String>,
    pub(crate) cookie: Option<String>,
    pub(crate) query_token: Option<String>,
}

impl Interceptor for Sent {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        let metadata = request.metadata_mut();
        if let Some(http) = &self.http {
            let value = MetadataValue::from_bytes(&http.encode_to_vec());
            metadata.insert_bin("vaultd-http-bin", value);
        }
        let texts = [
            (
                "authorization",
                self.bearer.as_ref().map(|token| format!("Bearer {token}")),
            ),
            ("vaultd-session", self.cookie.clone()),
            ("vaultd-query-token", self.query_token.clone()),
        ];
        for (name, value) in texts {
            if let Some(value) = value {
                metadata.insert(name, value.parse().expect("visible ASCII"));
            }
        }
        Ok(request)
    }
}

impl Sent {
    /// A client on the socket with a token.
    pub(crate) fn token(token: &str) -> Self {
        Self {
            bearer: Some(token.to_owned()),
            ..Self::default()
        }
    }

    /// A browser that asks for `host` from a machine elsewhere.
    pub(crate) fn web(host: &str) -> Self {
        Self {
            http: Some(HttpRequest {
                method: "GET".into(),
                scheme: "https".into(),
                host: host.into(),
                peer: "192.0.2.7:50000".into(),
                local: "192.0.2.1:7787".into(),
                ..HttpRequest::default()
            }),
            ..Self::default()
        }
    }

    /// The same with something changed in its request.
    pub(crate) fn but(mut self, change: impl FnOnce(&mut HttpRequest)) -> Self {
        change(self.http.as_mut().expect("a request over HTTP"));
        self
    }

    /// The same with a token.
    pub(crate) fn with_token(self, token: &str) -> Self {
        Self {
            bearer: Some(token.to_owned()),
            ..self
        }
    }

    /// On a channel of one's own.
    pub(crate) fn on(self, channel: &Channel) -> Calls {
        InterceptedService::new(channel.clone(), self)
    }
}

/// A TCP connection of this process to a gateway that this process plays.
pub(crate) struct Loopback {
    _listener: TcpListener,
    _stream: TcpStream,
    pub(crate) gateway: SocketAddr,
    pub(crate) client: SocketAddr,
}

impl Loopback {
    pub(crate) fn connect() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("bound");
        let gateway = listener.local_addr().expect("bound");
        let stream = TcpStream::connect(gateway).expect("connected");
        Self {
            client: stream.local_addr().expect("connected"),
            gateway,
            _listener: listener,
            _stream: stream,
        }
    }

    /// A browser, or curl, at the other end of it.
    pub(crate) fn sent(&self) -> Sent {
        let port = self.gateway.port();
        Sent::web(&format!("localhost:{port}")).but(|http| {
            http.scheme = "http".into();
            http.peer = self.client.to_string();
            http.local = self.gateway.to_string();
        })
    }
}

pub(crate) fn scope(stores: &str, permission: Permission) -> Scope {
    Scope {
        stores: stores.into(),
        permission: permission.into(),
    }
}

/// A token that the owner makes.
pub(crate) async fn create_token(daemon: &Daemon, scopes: Vec<Scope>) -> CreateTokenResponse {
    let request = CreateTokenRequest {
        label: "a script".into(),
        scopes,
        lifetime: None,
    };
    let created = TokensClient::new(daemon.channel().await)
        .create(request)
        .await;
    created.expect("created").into_inner()
}

pub(crate) async fn get(
    calls: &Calls,
    store: &str,
) -> Result<Response<GetDocumentResponse>, Error> {
    let request = GetDocumentRequest {
        store: store.into(),
        id: "a".into(),
    };
    let got = DocumentsClient::new(calls.clone()).get(request).await;
    got.map_err(Error::from)
}

pub(crate) async fn put(
    calls: &Calls,
    store: &str,
) -> Result<Response<PutDocumentResponse>, Error> {
    let request = PutDocumentRequest {
        store: store.into(),
        id: "a".into(),
        body: b"{}".to_vec(),
        ..PutDocumentRequest::default()
    };
    let put = DocumentsClient::new(calls.clone()).put(request).await;
    put.map_err(Error::from)
}

pub(crate) async fn whoami(calls: &Calls) -> AuthStatusResponse {
    let status = AuthClient::new(calls.clone())
        .status(AuthStatusRequest {})
        .await;
    status.expect("served").into_inner()
}
