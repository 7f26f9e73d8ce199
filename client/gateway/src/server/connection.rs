//! One connection: TLS where there is a certificate, then HTTP/1 or HTTP/2.

mod bodies;

use std::{convert::Infallible, net::SocketAddr, sync::Arc, time::Duration};

use axum::{body::Body, response::Response};
use http::{Request, uri::Scheme};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    sync::watch,
    time::{self, Instant},
};
use tower::{Service, ServiceExt as _, util::BoxCloneSyncService};

use self::bodies::{Heard, Offered};
use super::{slots::Slot, tls::Tls};
use crate::{config::Limits, ingress::Connection};

/// Largest head of a request, in bytes.
const HEAD: u32 = 64 << 10;
/// HTTP/2 windows, in bytes: a few chunks of an upload in flight.
const STREAM_WINDOW: u32 = 1 << 20;
const CONNECTION_WINDOW: u32 = 2 << 20;
/// How often an HTTP/2 peer that is silent is asked whether it is there.
const PING: Duration = Duration::from_secs(30);
/// How long a connection that was used is kept for the next request.
const IDLE: Duration = Duration::from_secs(60);
/// How long a peer that was told goodbye has to go.
const GOODBYE: Duration = Duration::from_secs(1);

type Answering = BoxCloneSyncService<Request<Body>, Response, Infallible>;

/// What all connections have in common.
pub struct Common {
    http: auto::Builder<TokioExecutor>,
    tls: Option<Arc<Tls>>,
    header_timeout: Duration,
    body_timeout: Duration,
    service: Answering,
}

impl Common {
    pub fn new<S>(limits: &Limits, tls: Option<Arc<Tls>>, service: S) -> Self
    where
        S: Service<Request<Body>, Response = Response, Error = Infallible>,
        S: Clone + Send + Sync + 'static,
        S::Future: Send,
    {
        let mut http = auto::Builder::new(TokioExecutor::new());
        http.http1()
            .timer(TokioTimer::new())
            .max_buf_size(HEAD as usize);
        http.http2()
            .timer(TokioTimer::new())
            .keep_alive_interval(PING)
            .max_concurrent_streams(limits.streams_per_connection)
            .max_header_list_size(HEAD)
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW);
        Self {
            http,
            tls,
            header_timeout: limits.header_timeout(),
            body_timeout: limits.body_timeout(),
            service: BoxCloneSyncService::new(service),
        }
    }

    /// Serves a connection until its end.
    pub async fn serve(
        self: Arc<Self>,
        stream: TcpStream,
        peer: SocketAddr,
        slot: Slot,
        draining: watch::Receiver<()>,
    ) {
        let Ok(local) = stream.local_addr() else {
            return;
        };
        // Answers are written as a whole: waiting for more helps nobody.
        let _ = stream.set_nodelay(true);
        let slot = Arc::new(slot);
        let mut connection = Connection {
            peer,
            local,
            scheme: Scheme::HTTP,
        };
        let Some(tls) = &self.tls else {
            return self.speak(stream, connection, slot, draining).await;
        };
        connection.scheme = Scheme::HTTPS;
        let handshake = time::timeout(self.header_timeout, tls.acceptor().accept(stream));
        let shaken = tokio::select! {
            shaken = handshake => shaken,
            () = slot.evicted() => return,
        };
        if let Ok(Ok(stream)) = shaken {
            self.speak(stream, connection, slot, draining).await;
        }
    }

    async fn speak(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        connection: Connection,
        slot: Arc<Slot>,
        mut draining: watch::Receiver<()>,
    ) {
        let answer = |request: Request<Incoming>| {
            let turn = Arc::new(slot.begin());
            let mut request = request.map(|body| Body::new(Heard::new(body, &turn)));
            request.extensions_mut().insert(connection.clone());
            let answer = self.service.clone().oneshot(request);
            async move {
                let response = answer.await?;
                // The request lasts as long as its answer.
                Ok::<_, Infallible>(response.map(|body| Offered::new(body, turn)))
            }
        };
        let speaking = self
            .http
            .serve_connection(TokioIo::new(stream), service_fn(answer));
        let mut speaking = std::pin::pin!(speaking);
        let mut look = Instant::now() + self.header_timeout;
        let mut ending = false;
        loop {
            tokio::select! {
                // An error is the peer's: it went away, or does not speak HTTP.
                _ = &mut speaking => return,
                () = slot.evicted() => return,
                _ = draining.changed(), if !ending => {
                    speaking.as_mut().graceful_shutdown();
                    ending = true;
                }
                () = time::sleep_until(look) => {
                    let untaken = slot.untaken().map(|since| since + self.body_timeout);
                    if untaken.is_some_and(|until| until <= Instant::now()) {
                        return;
                    }
                    let patience = self.patience_with(&slot);
                    if patience > Instant::now() {
                        look = patience;
                    } else if ending {
                        return;
                    } else {
                        speaking.as_mut().graceful_shutdown();
                        ending = true;
                        look = Instant::now() + GOODBYE;
                    }
                }
            }
        }
    }

    /// Until when a connection may be silent.
    fn patience_with(&self, slot: &Slot) -> Instant {
        match slot.idle() {
            None => Instant::now() + self.header_timeout,
            Some((since, false)) => since + self.header_timeout,
            Some((since, true)) => since + IDLE,
        }
    }
}
