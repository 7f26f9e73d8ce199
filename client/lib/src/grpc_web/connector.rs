//! Connections to the host of a base URL.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use http::Uri;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::{
    client::legacy::connect::{Connected, Connection},
    rt::TokioIo,
};
use rustls::pki_types::ServerName;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::TlsConnector;
use tower::Service;

use crate::{BaseUrl, Error, FetchError, base_url::is_localhost, tls};

/// For the name, the connection and the handshake together.
const PATIENCE: Duration = Duration::from_secs(15);

/// Dials the one host there is.
#[derive(Clone)]
pub(super) struct Connector {
    host: Arc<str>,
    tls: Option<(TlsConnector, ServerName<'static>)>,
}

impl Connector {
    pub(super) async fn new(base: &BaseUrl) -> Result<Self, Error> {
        let host = base.host();
        let tls = if base.secure() {
            let config = tls::config().await;
            let mut config = config
                .map_err(|detail| Error::Local(FetchError::NoAuthorities(detail).to_string()))?;
            config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
            let name = ServerName::try_from(host.clone());
            let name = name.map_err(|error| Error::Local(format!("{base}: {error}")))?;
            Some((TlsConnector::from(Arc::new(config)), name))
        } else {
            None
        };
        let host = host.into();
        Ok(Self { host, tls })
    }

    async fn connect(self, port: u16) -> io::Result<Wire> {
        let stream = dial(&self.host, port).await?;
        // A call is a small write that waits for its answer.
        stream.set_nodelay(true)?;
        let Some((connector, name)) = self.tls else {
            return Ok(Wire {
                stream: TokioIo::new(Box::new(stream)),
                http2: false,
            });
        };
        let stream = connector.connect(name, stream).await?;
        let http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
        Ok(Wire {
            stream: TokioIo::new(Box::new(stream)),
            http2,
        })
    }
}

/// A connection to the first of a host's addresses that answers. A name that means this machine is
/// not looked up: no name server may say that it means another.
async fn dial(host: &str, port: u16) -> io::Result<TcpStream> {
    if is_localhost(host) {
        let own: [IpAddr; 2] = [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
        let own = own.map(|address| SocketAddr::new(address, port));
        return TcpStream::connect(&own[..]).await;
    }
    TcpStream::connect((host, port)).await
}

impl Service<Uri> for Connector {
    type Response = Wire;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Wire>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let port = uri.port_u16();
        let port = port.unwrap_or(if self.tls.is_some() { 443 } else { 80 });
        let connector = self.clone();
        Box::pin(async move {
            let connected = timeout(PATIENCE, connector.connect(port)).await;
            connected.unwrap_or_else(|_| Err(io::Error::new(io::ErrorKind::TimedOut, "no answer")))
        })
    }
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// A connection, with TLS or without.
pub(super) struct Wire {
    stream: TokioIo<Box<dyn Stream>>,
    http2: bool,
}

impl Connection for Wire {
    fn connected(&self) -> Connected {
        let connected = Connected::new();
        if self.http2 {
            connected.negotiated_h2()
        } else {
            connected
        }
    }
}

impl Read for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl Write for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, buffers)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
