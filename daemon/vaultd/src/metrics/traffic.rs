//! What is counted of connections.

use std::sync::Arc;

use super::{Counter, Gauge};

/// Connections, and the bytes that go over them.
#[derive(Debug, Default)]
pub struct Traffic {
    received: Counter,
    sent: Counter,
    accepted: Counter,
    refused: Counter,
    open: Gauge,
}

impl Traffic {
    /// A connection is let in; open until the answer is dropped.
    pub fn accept(self: &Arc<Self>) -> OpenConnection {
        self.accepted.add(1);
        self.open.rise();
        OpenConnection(Arc::clone(self))
    }

    /// A connection is turned away.
    pub fn refuse(&self) {
        self.refused.add(1);
    }

    /// Bytes that peers sent.
    pub fn received(&self) -> u64 {
        self.received.total()
    }

    /// Bytes that were sent to peers.
    pub fn sent(&self) -> u64 {
        self.sent.total()
    }

    /// Connections that were let in.
    pub fn accepted(&self) -> u64 {
        self.accepted.total()
    }

    /// Connections that were turned away.
    pub fn refused(&self) -> u64 {
        self.refused.total()
    }

    /// Connections that are open.
    pub fn open(&self) -> u64 {
        self.open.now()
    }
}

/// A connection that is open.
#[derive(Debug)]
pub struct OpenConnection(Arc<Traffic>);

impl OpenConnection {
    /// So many bytes came over it.
    pub fn received(&self, bytes: usize) {
        self.0.received.add(bytes as u64);
    }

    /// So many bytes were sent over it.
    pub fn sent(&self, bytes: usize) {
        self.0.sent.add(bytes as u64);
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.open.fall();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_is_open_until_it_is_dropped() {
        let traffic = Arc::new(Traffic::default());
        let (one, other) = (traffic.accept(), traffic.accept());
        one.received(5);
        other.received(7);
        other.sent(3);
        drop(one);
        assert_eq!((traffic.open(), traffic.accepted()), (1, 2));
        assert_eq!((traffic.received(), traffic.sent()), (12, 3));
        drop(other);
        assert_eq!(traffic.open(), 0);
    }
}
