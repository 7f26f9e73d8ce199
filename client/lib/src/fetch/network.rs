//! The way to a server: its addresses, asked for once, and a connection to the very one that was
//! checked.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::timeout,
};

use super::{address, error::FetchError, target::Target};

/// What a request and its answer go over.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// Names and connections; the system's, but for tests. Nothing here decides what may be reached.
pub(super) trait Network: Sync {
    /// Every address of a name.
    fn resolve(&self, host: &str) -> impl Future<Output = io::Result<Vec<IpAddr>>> + Send;

    /// A connection to an address.
    fn dial(&self, address: SocketAddr)
    -> impl Future<Output = io::Result<Box<dyn Stream>>> + Send;
}

/// The operating system's. No proxy is asked, whatever the environment says: it would look the name
/// up once more.
pub(super) struct System;

impl Network for System {
    async fn resolve(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        let found = tokio::net::lookup_host((host, 0)).await?;
        Ok(found.map(|socket| socket.ip()).collect())
    }

    async fn dial(&self, address: SocketAddr) -> io::Result<Box<dyn Stream>> {
        Ok(Box::new(TcpStream::connect(address).await?))
    }
}

/// Connects to the host of `target`, if all of its addresses are public. One that is not condemns
/// the name: whoever answers for it means to be let in by it.
pub(super) async fn connect(
    network: &impl Network,
    target: &Target,
    patience: Duration,
) -> Result<Box<dyn Stream>, FetchError> {
    let host = target.host();
    let addresses = match target.address() {
        Some(address) => vec![address],
        None => resolve(network, &host, patience).await?,
    };
    for address in &addresses {
        if let Some(kind) = address::special(*address) {
            let address = *address;
            return Err(FetchError::Special {
                host,
                address,
                kind,
            });
        }
    }
    let mut detail = String::new();
    for address in addresses {
        let socket = SocketAddr::new(address, target.port());
        match timeout(patience, network.dial(socket)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => detail = error.to_string(),
            Err(_) => detail = format!("{address} does not answer"),
        }
    }
    Err(FetchError::Unreachable { host, detail })
}

async fn resolve(
    network: &impl Network,
    host: &str,
    patience: Duration,
) -> Result<Vec<IpAddr>, FetchError> {
    let unresolved = |detail: String| FetchError::Unresolved {
        host: host.to_owned(),
        detail,
    };
    match timeout(patience, network.resolve(host)).await {
        Ok(Ok(addresses)) if addresses.is_empty() => Err(unresolved("it names none".to_owned())),
        Ok(Ok(addresses)) => Ok(addresses),
        Ok(Err(error)) => Err(unresolved(error.to_string())),
        Err(_) => Err(unresolved("no name server answers".to_owned())),
    }
}
