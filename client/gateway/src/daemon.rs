//! The connections to the daemon, made when they are first needed.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::sync::OnceCell;
use vault_client::{Error, Options, WebGateway};

/// Connections for the API. The daemon bounds the calls at once over each.
const FOR_REQUESTS: usize = 4;
/// How long no daemon is started after one could not be.
const BETWEEN_STARTS: Duration = Duration::from_secs(5);

/// The daemon of one vault. It need not run when the gateway starts.
#[derive(Debug)]
pub struct Daemon {
    options: Options,
    connected: OnceCell<Connections>,
    /// When a connection could not be made.
    failed: Mutex<Option<Instant>>,
    /// Counts requests: each goes over the connection after the one before.
    turn: AtomicUsize,
}

#[derive(Debug)]
struct Connections {
    for_requests: Vec<WebGateway>,
    /// Calls of gRPC-Web last as long as their callers like: the API does not wait for them.
    for_calls: WebGateway,
}

impl Daemon {
    /// Connects to nothing yet.
    pub fn new(options: Options) -> Self {
        Self {
            options,
            connected: OnceCell::new(),
            failed: Mutex::default(),
            turn: AtomicUsize::new(0),
        }
    }

    /// A connection for a request of the API.
    pub async fn for_request(&self) -> Result<&WebGateway, Error> {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed) % FOR_REQUESTS;
        let connections = self.connections().await?;
        let mine = connections.for_requests.get(turn);
        Ok(mine.unwrap_or(&connections.for_calls))
    }

    /// The connection for calls of gRPC-Web.
    pub async fn for_call(&self) -> Result<&WebGateway, Error> {
        Ok(&self.connections().await?.for_calls)
    }

    /// Requests that come while they are made share them.
    async fn connections(&self) -> Result<&Connections, Error> {
        self.connected.get_or_try_init(|| self.connect()).await
    }

    async fn connect(&self) -> Result<Connections, Error> {
        let failed = || self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        let recently = failed().is_some_and(|at| at.elapsed() < BETWEEN_STARTS);
        let mut options = self.options.clone();
        options.no_autostart |= recently;
        let for_calls = WebGateway::connect(&options).await.inspect_err(|_| {
            if !recently {
                *failed() = Some(Instant::now());
            }
        })?;
        let mut for_requests = Vec::with_capacity(FOR_REQUESTS);
        for _ in 0..FOR_REQUESTS {
            for_requests.push(for_calls.another().await?);
        }
        Ok(Connections {
            for_requests,
            for_calls,
        })
    }
}
