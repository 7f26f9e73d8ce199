//! A connection over HTTP/1.1 that is kept, and opened anew where the other side has closed it.

use std::net::SocketAddr;

use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::{
    body::Bytes,
    client::conn::http1::{self, SendRequest},
};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// An answer, read to its end.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        let parsed = serde_json::from_slice(&self.body);
        parsed.unwrap_or_else(|error| panic!("{error}: {} {}", self.status, self.text()))
    }
}

/// See the module.
pub(crate) struct Connection {
    address: SocketAddr,
    open: Option<SendRequest<Full<Bytes>>>,
}

impl Connection {
    pub(crate) fn to(address: SocketAddr) -> Self {
        let open = None;
        Self { address, open }
    }

    /// Sends a request with all its headers, and reads the answer.
    pub(crate) async fn send(&mut self, request: Request<Full<Bytes>>) -> Answer {
        let mut sender = match self.kept().await {
            Some(open) => open,
            None => self.connect().await,
        };
        let answered = sender.send_request(request).await.expect("an answer");
        let (head, body) = answered.into_parts();
        let body = body.collect().await.expect("a whole body").to_bytes();
        self.open = Some(sender);
        Answer {
            status: head.status,
            headers: head.headers,
            body,
        }
    }

    /// The connection of the request before, unless it was closed since.
    async fn kept(&mut self) -> Option<SendRequest<Full<Bytes>>> {
        let mut open = self.open.take()?;
        open.ready().await.ok().map(|()| open)
    }

    async fn connect(&self) -> SendRequest<Full<Bytes>> {
        let stream = TcpStream::connect(self.address).await.expect("connected");
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.expect("HTTP");
        tokio::spawn(connection);
        sender
    }
}
