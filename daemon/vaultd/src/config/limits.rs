//! `[limits]`: bounds on what peers can make the daemon hold or wait for.

use std::{
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use serde::{Deserialize, Serialize};

/// Bounds on what peers can make the daemon hold or wait for.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Connections at once.
    pub connections: usize,
    /// Calls at once on one connection.
    pub streams_per_connection: u32,
    /// Calls at once that work on the disk.
    pub blocking_calls: usize,
    /// Seconds a new connection has to open an HTTP/2 session.
    pub first_bytes_seconds: u64,
    /// Seconds after which a connection without traffic is asked whether its peer still answers; it
    /// has a third of that to do so.
    pub keepalive_seconds: u64,
    /// Seconds a unary call may take.
    pub call_seconds: u64,
    /// Seconds between two messages of a client's stream, and until it takes one of an answer.
    pub stream_idle_seconds: u64,
    /// Statements on databases at once.
    pub statements: usize,
    /// Transactions that clients hold open at once.
    pub transactions: usize,
    /// Seconds a statement may work, where its caller does not say.
    pub statement_seconds: u64,
    /// Seconds from the start to the end of an answer that streams rows, and of an import, however
    /// soon their client takes or sends the next message.
    pub query_seconds: u64,
    /// Seconds a transaction may stay open, where its caller does not say.
    pub transaction_seconds: u64,
    /// Seconds the keyring may take to answer.
    pub keyring_seconds: u64,
    /// Seconds calls in flight have when the daemon is told to stop.
    pub drain_seconds: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 2048,
            streams_per_connection: 128,
            blocking_calls: 64,
            first_bytes_seconds: 10,
            keepalive_seconds: 60,
            call_seconds: 60,
            stream_idle_seconds: 30,
            statements: 64,
            transactions: 32,
            statement_seconds: 60,
            query_seconds: 3600,
            transaction_seconds: 30,
            keyring_seconds: 20,
            drain_seconds: 10,
        }
    }
}

impl Limits {
    /// See [`Limits::first_bytes_seconds`].
    pub const fn first_bytes(&self) -> Duration {
        Duration::from_secs(self.first_bytes_seconds)
    }

    /// See [`Limits::keepalive_seconds`].
    pub const fn keepalive(&self) -> Duration {
        let seconds = self.keepalive_seconds;
        Duration::from_secs(if seconds == 0 { 1 } else { seconds })
    }

    /// See [`Limits::call_seconds`].
    pub const fn call(&self) -> Duration {
        Duration::from_secs(self.call_seconds)
    }

    /// See [`Limits::stream_idle_seconds`].
    pub const fn stream_idle(&self) -> Duration {
        Duration::from_secs(self.stream_idle_seconds)
    }

    /// See [`Limits::statement_seconds`].
    pub const fn statement(&self) -> Duration {
        Duration::from_secs(self.statement_seconds)
    }

    /// See [`Limits::query_seconds`].
    pub const fn query(&self) -> Duration {
        Duration::from_secs(self.query_seconds)
    }

    /// See [`Limits::transaction_seconds`].
    pub const fn transaction(&self) -> Duration {
        Duration::from_secs(self.transaction_seconds)
    }

    /// See [`Limits::drain_seconds`].
    pub const fn drain(&self) -> Duration {
        Duration::from_secs(self.drain_seconds)
    }
}

/// The limits in force, which the configuration may change while the daemon runs. Clones share them.
#[derive(Clone, Debug)]
pub struct LimitsInForce(Arc<RwLock<Arc<Limits>>>);

impl LimitsInForce {
    /// These.
    pub fn new(limits: Limits) -> Self {
        Self(Arc::new(RwLock::new(Arc::new(limits))))
    }

    /// The limits at this moment.
    pub fn now(&self) -> Arc<Limits> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// From now on, others. Where one was taken for good as the daemon started, such as a number of
    /// slots, it stays.
    pub fn replace(&self, limits: Limits) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(limits);
    }
}
