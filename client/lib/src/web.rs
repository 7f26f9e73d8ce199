//! Calls on behalf of somebody who asks over HTTP: what the gateway is made of.

mod keeper;

use std::{net::SocketAddr, sync::Arc};

use http::{HeaderMap, HeaderName, HeaderValue, header::AUTHORIZATION};
use prost::Message as _;
use tonic::metadata::{MetadataMap, MetadataValue};
use vault_proto::v1::HttpRequest;
use zeroize::Zeroizing;

use self::keeper::Keeper;
use crate::{
    Client, Error, Options, Secret, place,
    transport::{Transport, sensitive},
};

/// Holds an [`HttpRequest`]: whoever sends it speaks for somebody else.
const HTTP: &str = "vaultd-http-bin";
/// The session cookie's value.
const SESSION: HeaderName = HeaderName::from_static("vaultd-session");
/// A token from the address.
const QUERY_TOKEN: HeaderName = HeaderName::from_static("vaultd-query-token");

/// A request over HTTP that calls are made for. The daemon judges it in each of them.
#[derive(Debug)]
pub struct WebRequest {
    /// "GET"
    pub method: String,
    /// "http" or "https"
    pub scheme: &'static str,
    /// The Host header, or the authority of HTTP/2.
    pub host: String,
    /// Origin.
    pub origin: Option<String>,
    /// Sec-Fetch-Site.
    pub fetch_site: Option<String>,
    /// Who asks; port 0 behind a trusted proxy.
    pub peer: SocketAddr,
    /// Where the gateway was reached.
    pub local: SocketAddr,
    /// Whether a header was there that only a proxy writes.
    pub forwarded: bool,
    /// User-Agent.
    pub user_agent: Option<String>,
    /// `Authorization: Bearer`
    pub bearer: Option<Secret>,
    /// The session cookie's value.
    pub session: Option<Secret>,
    /// `?api_token=`
    pub query_token: Option<Secret>,
}

impl WebRequest {
    /// What each call for this request carries.
    fn metadata(&self) -> HeaderMap {
        let request = HttpRequest {
            method: self.method.clone(),
            scheme: self.scheme.to_owned(),
            host: self.host.clone(),
            origin: self.origin.clone(),
            fetch_site: self.fetch_site.clone(),
            peer: self.peer.to_string(),
            local: self.local.to_string(),
            forwarded: self.forwarded,
            user_agent: self.user_agent.clone(),
        };
        let mut metadata = MetadataMap::new();
        let mut encoded = MetadataValue::from_bytes(&request.encode_to_vec());
        encoded.set_sensitive(true);
        metadata.insert_bin(HTTP, encoded);
        let mut headers = metadata.into_headers();
        if let Some(token) = &self.bearer {
            headers.insert(AUTHORIZATION, bearer(token));
        }
        for (name, secret) in [(SESSION, &self.session), (QUERY_TOKEN, &self.query_token)] {
            if let Some(secret) = secret {
                let unreadable = HeaderValue::from_static("unreadable");
                headers.insert(name, value(secret.expose(), unreadable));
            }
        }
        headers
    }
}

/// The value of `authorization` for a token.
pub(crate) fn bearer(token: &Secret) -> HeaderValue {
    let text = Zeroizing::new([b"Bearer ", token.expose()].concat());
    value(&text, HeaderValue::from_static("Bearer unreadable"))
}

/// A credential's value; `unreadable` for one that no header can hold: what was given and does not
/// count is not the same as nothing.
fn value(secret: &[u8], unreadable: HeaderValue) -> HeaderValue {
    sensitive(HeaderValue::from_bytes(secret).unwrap_or(unreadable))
}

/// The gateway's connection. No call is made over it but on somebody's behalf: the first one marks
/// it, and from then on none counts as the owner's.
#[derive(Clone, Debug)]
pub struct WebGateway {
    keeper: Arc<Keeper>,
    transport: Transport,
}

impl WebGateway {
    /// Connects to the daemon as a gateway does; starts one where none runs, and again where it
    /// has ended since. Nothing is asked of it: a socket that was not named belongs to the folder by
    /// its name.
    pub async fn connect(options: &Options) -> Result<Self, Error> {
        let keeper = Keeper::new(place(options)?, !options.no_autostart);
        Self::over(Arc::new(keeper)).await
    }

    /// Another connection to the same daemon. Calls at once over one are bounded: those over another
    /// do not take their places.
    pub async fn another(&self) -> Result<Self, Error> {
        Self::over(Arc::clone(&self.keeper)).await
    }

    async fn over(keeper: Arc<Keeper>) -> Result<Self, Error> {
        let transport = Transport::socket(Keeper::dial(&keeper).await?);
        Ok(Self { keeper, transport })
    }

    /// A client whose calls are all made for `request`, over the gateway's connection.
    pub fn on_behalf_of(&self, request: &WebRequest) -> Client {
        Client::over(self.keeper.place(), self.transport(request))
    }

    /// What passes on gRPC calls that came for `request`. Of their heads, only what gRPC needs.
    pub fn transport(&self, request: &WebRequest) -> Transport {
        self.transport.with(request.metadata())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> WebRequest {
        WebRequest {
            method: "GET".to_owned(),
            scheme: "http",
            host: "localhost:7787".to_owned(),
            origin: None,
            fetch_site: Some("same-origin".to_owned()),
            peer: ([127, 0, 0, 1], 50000).into(),
            local: ([127, 0, 0, 1], 7787).into(),
            forwarded: false,
            user_agent: None,
            bearer: Some(Secret::new(b"vaultd_hush".to_vec())),
            session: Some(Secret::new(b"id.hush.signature".to_vec())),
            query_token: Some(Secret::new(b"hush\n".to_vec())),
        }
    }

    #[test]
    fn the_daemon_is_told_who_asks_and_nobody_else_is() {
        let metadata = request().metadata();
        let shown = format!("{metadata:?} {:?}", request());
        assert!(!shown.contains("hush"), "{shown}");
        assert!(metadata.values().all(HeaderValue::is_sensitive));
        assert_eq!(metadata[AUTHORIZATION], "Bearer vaultd_hush");
        assert_eq!(metadata[SESSION], "id.hush.signature");
        assert_eq!(metadata[QUERY_TOKEN], "unreadable");
        let encoded = MetadataMap::from_headers(metadata);
        let encoded = encoded.get_bin(HTTP).expect("there");
        let decoded = HttpRequest::decode(encoded.to_bytes().expect("base64")).expect("a message");
        assert_eq!(decoded.peer, "127.0.0.1:50000");
        assert_eq!(decoded.fetch_site.as_deref(), Some("same-origin"));
    }
}
