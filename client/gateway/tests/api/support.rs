//! A daemon and a gateway of a test's own.

use std::{
    collections::BTreeMap,
    env,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::OnceLock,
};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tempfile::TempDir;
use tokio::net::TcpStream;
use vault_client::{Client, Options};
use vault_gateway::{
    config::{Config, Limits},
    server::Server,
};

/// `vaultd`, beside the gateway. A test of the whole workspace has built it; a test of this package
/// alone has not. It is built as there, with a test that needs it: with other features of other packages
/// all of them would be built once more.
fn vaultd() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let gateway = Path::new(env!("CARGO_BIN_EXE_vault-gateway"));
        let built = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
            .args("test --quiet --workspace --no-run --test layering".split(' '))
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .status()
            .expect("cargo runs");
        assert!(built.success(), "vaultd builds");
        gateway.with_file_name(format!("vaultd{}", env::consts::EXE_SUFFIX))
    })
}

/// A gateway in this process and its daemon. Both end with it.
pub(crate) struct Gateway {
    daemon: Child,
    address: SocketAddr,
    options: Options,
    _folder: TempDir,
}

/// An answer, read whole.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        let text = String::from_utf8_lossy(&self.body);
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {text}"))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        value.map_or("", |value| value.to_str().expect("text"))
    }

    /// The status, and the reason of a failure.
    pub(crate) fn refusal(&self) -> (u16, String) {
        let reason = self.json()["error"]["reason"].clone();
        (
            self.status.as_u16(),
            reason.as_str().expect("a reason").to_owned(),
        )
    }
}

impl Gateway {
    pub(crate) async fn start() -> Self {
        let folder = tempfile::Builder::new().prefix("vg-").tempdir();
        let folder = folder.expect("a folder");
        let root = folder.path().join("root");
        let socket = root.join("vaultd.sock");
        let daemon = Command::new(vaultd())
            .args(["--ephemeral", "--log", "error", "--data-dir"])
            .arg(&root)
            .arg("--socket")
            .arg(&socket)
            .env("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nonexistent")
            .stdin(Stdio::null())
            .spawn()
            .expect("vaultd starts");
        let options = Options {
            data_dir: Some(root),
            socket: Some(socket),
            no_autostart: true,
            ..Options::default()
        };
        let config = Config {
            vault: options.clone(),
            bind: ([127, 0, 0, 1], 0).into(),
            tls: None,
            trusted_proxies: Vec::new(),
            cors_origins: Vec::new(),
            aliases: BTreeMap::from([(
                "conversations".to_owned(),
                "chat/conversations".to_owned(),
            )]),
            log: "error".to_owned(),
            limits: Limits::default(),
        };
        let server = Server::bind(config).await.expect("it listens");
        let address = server.address();
        tokio::spawn(server.serve(std::future::pending()));
        let gateway = Self {
            daemon,
            address,
            options,
            _folder: folder,
        };
        gateway.wait().await;
        gateway
    }

    /// Until the daemon answers. The user sets the vault up: through a gateway nobody can.
    async fn wait(&self) {
        let owner = loop {
            match Client::connect(&self.options).await {
                Ok(owner) => break owner,
                Err(_) => tokio::task::yield_now().await,
            }
        };
        owner.init(None, None).await.expect("a vault");
    }

    /// The user, over the socket.
    pub(crate) async fn owner(&self) -> Client {
        let client = Client::connect(&self.options).await;
        client.expect("the daemon answers")
    }

    /// A connection, for what hyper would not send.
    pub(crate) async fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).await;
        stream.expect("the gateway accepts")
    }

    /// The value of `Host`.
    pub(crate) fn host(&self) -> String {
        format!("localhost:{}", self.address.port())
    }

    /// Sends a request; its answer as it begins.
    pub(crate) async fn open<B>(&self, mut request: Request<B>) -> Response<Incoming>
    where
        B: hyper::body::Body + Send + 'static,
        B::Data: Send,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let io = TokioIo::new(self.connect().await);
        let (mut sender, connection) = hyper::client::conn::http1::handshake(io)
            .await
            .expect("a connection");
        tokio::spawn(connection);
        let host = self.host().parse().expect("a header");
        request.headers_mut().insert("host", host);
        sender.send_request(request).await.expect("an answer")
    }

    pub(crate) async fn send<B>(&self, request: Request<B>) -> Answer
    where
        B: hyper::body::Body + Send + 'static,
        B::Data: Send,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let (head, body) = self.open(request).await.into_parts();
        Answer {
            status: head.status,
            headers: head.headers,
            body: body.collect().await.expect("a whole body").to_bytes(),
        }
    }

    /// A request with headers and a body.
    pub(crate) async fn call(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(body.into())).expect("a request");
        self.send(request).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.call(Method::GET, path, &[], "").await
    }

    /// Sends JSON.
    pub(crate) async fn json(&self, method: Method, path: &str, body: &str) -> Answer {
        let headers = [("content-type", "application/json")];
        self.call(method, path, &headers, body.to_owned()).await
    }

    /// Makes a store.
    pub(crate) async fn store(&self, name: &str, kind: &str, class: &str) {
        let store = serde_json::json!({ "name": name, "kind": kind, "class": class });
        let store = store.to_string();
        let made = self.json(Method::POST, "/api/stores", &store).await;
        assert_eq!(made.status, StatusCode::CREATED);
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.daemon.kill();
        let _ = self.daemon.wait();
    }
}
