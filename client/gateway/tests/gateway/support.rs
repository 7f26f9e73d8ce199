//! A gateway without a daemon, in this process.

use std::{convert::Infallible, fs, os::unix::net::UnixListener, path::PathBuf};

use axum::{body::Body, extract::Request, response::Response};
use http::{HeaderMap, HeaderValue, StatusCode, request::Builder, uri::Scheme};
use http_body_util::BodyExt as _;
use tempfile::TempDir;
use tower::{Service, ServiceExt as _};
use vault_gateway::{
    app::App,
    config::{Config, ConfigError, Flags},
    ingress::Connection,
};

const SOCKET: &str = "vaultd.sock";

/// Something that takes connections where the daemon would, and says nothing: enough for what is
/// looked at before the daemon is asked.
pub(crate) fn silent_daemon(folder: &TempDir) -> UnixListener {
    UnixListener::bind(folder.path().join(SOCKET)).expect("a socket")
}

/// What a `gateway.toml` makes of a gateway. The folder has no daemon, and none is started.
pub(crate) fn configured(toml: &str) -> Result<(Config, TempDir), ConfigError> {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("gateway.toml");
    fs::write(&file, toml).expect("written");
    let flags = flags(&folder, Some(file));
    Config::load(&flags).map(|config| (config, folder))
}

/// Flags that name the folder.
pub(crate) fn flags(folder: &TempDir, config: Option<PathBuf>) -> Flags {
    Flags {
        data_dir: Some(folder.path().join("root")),
        socket: Some(folder.path().join(SOCKET)),
        no_autostart: true,
        config,
        ..Flags::default()
    }
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let value = self.headers.get(name).map(HeaderValue::to_str);
        value.map(|value| value.expect("text"))
    }

    /// The reason in a failure's body.
    pub(crate) fn reason(&self) -> String {
        let body: serde_json::Value = serde_json::from_slice(&self.body).expect("JSON");
        let reason = body["error"]["reason"].as_str();
        reason.expect("a reason").to_owned()
    }
}

/// A gateway, and the folder it was told of.
pub(crate) struct Gateway<S> {
    service: S,
    folder: TempDir,
}

pub(crate) fn gateway(toml: &str) -> Gateway<impl Answering> {
    let (config, folder) = configured(toml).expect("a configuration");
    Gateway {
        service: App::new(config).service(),
        folder,
    }
}

/// What answers requests.
pub(crate) trait Answering:
    Service<Request, Response = Response, Error = Infallible, Future: Send> + Clone
{
}

impl<S> Answering for S where
    S: Service<Request, Response = Response, Error = Infallible, Future: Send> + Clone
{
}

/// A connection from this machine, in the clear.
pub(crate) fn plain() -> Connection {
    Connection {
        peer: ([127, 0, 0, 1], 50000).into(),
        local: ([127, 0, 0, 1], 7787).into(),
        scheme: Scheme::HTTP,
    }
}

/// A request to `localhost`.
pub(crate) fn to(method: &str, path: &str) -> Builder {
    Request::builder()
        .method(method)
        .uri(path)
        .header("host", "localhost:7787")
}

impl<S: Answering> Gateway<S> {
    pub(crate) fn silent_daemon(&self) -> UnixListener {
        silent_daemon(&self.folder)
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.ask(to("GET", path)).await
    }

    pub(crate) async fn ask(&self, request: Builder) -> Answer {
        self.send(request, Body::empty()).await
    }

    pub(crate) async fn send(&self, request: Builder, body: Body) -> Answer {
        self.over(plain(), request, body).await
    }

    pub(crate) async fn over(
        &self,
        connection: Connection,
        request: Builder,
        body: Body,
    ) -> Answer {
        let request = request.extension(connection);
        let request = request.body(body).expect("a request");
        let answered = self.service.clone().oneshot(request).await;
        let (head, body) = answered.expect("never an error").into_parts();
        let body = body.collect().await.expect("a whole body").to_bytes();
        Answer {
            status: head.status,
            headers: head.headers,
            body: body.into(),
        }
    }
}
