//! Accepts connections and serves them, until it is told to stop.

mod connection;
mod slots;
mod tls;

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use tokio::{net::TcpListener, sync::watch, time};

use self::{connection::Common, slots::Slots};
pub use self::{
    slots::raise_file_limit,
    tls::{Tls, TlsError},
};
use crate::{app::App, config::Config};

/// How long nothing is accepted once the operating system has no more to give.
const SHORTAGE: Duration = Duration::from_millis(20);

/// Why the server did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address cannot be used.
    #[error("cannot listen on {address}: {error}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// What the operating system said.
        error: io::Error,
    },
    /// The certificate cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

/// A bound listener, and what is served on it.
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    tls: Option<Arc<Tls>>,
    app: App,
}

impl Server {
    /// Binds the address. Connects to no daemon yet.
    pub async fn bind(config: Config) -> Result<Self, StartError> {
        let tls = config.tls.clone().map(Tls::load).transpose()?;
        let refused = |error| StartError::Bind {
            address: config.bind,
            error,
        };
        let listener = TcpListener::bind(config.bind).await.map_err(refused)?;
        let address = listener.local_addr().map_err(refused)?;
        Ok(Self {
            listener,
            address,
            tls: tls.map(Arc::new),
            app: App::new(config),
        })
    }

    /// Where it listens: the port that was chosen, where none was named.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The certificate, to be read anew.
    pub fn tls(&self) -> Option<Arc<Tls>> {
        self.tls.clone()
    }

    /// What it serves.
    pub fn app(&self) -> &App {
        &self.app
    }

    /// Serves until `stop`; what is in flight then has a while to end.
    pub async fn serve(self, stop: impl Future<Output = ()>) {
        let limits = self.app.config.limits.clone();
        let slots = Arc::new(Slots::new(limits.connections));
        let common = Arc::new(Common::new(&limits, self.tls, self.app.service()));
        let (drain, draining) = watch::channel(());
        let mut stop = std::pin::pin!(stop);
        loop {
            let accepted = tokio::select! {
                accepted = self.listener.accept() => accepted,
                () = &mut stop => break,
            };
            match accepted {
                Ok((stream, peer)) => {
                    // Without one, everybody is being served: whoever comes now is turned away.
                    if let Some(slot) = slots.take() {
                        let served =
                            Arc::clone(&common).serve(stream, peer, slot, draining.clone());
                        tokio::spawn(served);
                    }
                }
                // The peer has gone already, or there are no more descriptors.
                Err(error) => {
                    tracing::debug!(%error, "a connection was not accepted");
                    slots.evict_one();
                    time::sleep(SHORTAGE).await;
                }
            }
        }
        drop(self.listener);
        drop(draining);
        let _ = drain.send(());
        // Every connection holds a receiver.
        if time::timeout(limits.drain_timeout(), drain.closed())
            .await
            .is_err()
        {
            tracing::warn!("requests were still running when the time to end them was over");
        }
    }
}
