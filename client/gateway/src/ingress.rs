//! How a request came in.

use std::net::{IpAddr, SocketAddr};

use http::uri::Scheme;

/// The connection a request came over. The server puts one into the extensions of each request.
#[derive(Clone, Debug)]
pub struct Connection {
    /// The other end.
    pub peer: SocketAddr,
    /// This end.
    pub local: SocketAddr,
    /// Whether it is TLS.
    pub scheme: Scheme,
}

/// How it came in, once the proxies that are trusted were believed.
#[derive(Clone, Debug)]
pub struct Ingress {
    /// Who asks; port 0 behind a proxy.
    pub peer: SocketAddr,
    /// Where the gateway was reached.
    pub local: SocketAddr,
    /// How it was sent, by the browser's end.
    pub scheme: Scheme,
    /// The host that a proxy was asked for, where it says so.
    pub host: Option<String>,
    /// Whether there was a header that only a proxy writes, trusted or not.
    pub forwarded: bool,
}

impl Connection {
    /// The other end's address, IPv4 where it is that in an IPv6 address.
    pub fn peer_ip(&self) -> IpAddr {
        self.peer.ip().to_canonical()
    }
}
