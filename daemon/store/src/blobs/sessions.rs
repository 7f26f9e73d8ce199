//! Uploads and readers under way: whoever closes the store, or takes an upload over, ends them.
//!
//! What a session works with (keys, plaintext, an open file) lies behind a lock that is held during
//! each call. Ended between two calls, it is dropped at once, however long its owner may yet hold
//! on to it; its next call finds nothing.

use std::sync::{Arc, Mutex, Weak};

use crate::vault::lock;

/// What one session works with; nothing once it has ended.
pub(super) type Session<T> = Arc<Mutex<Option<T>>>;

/// Sessions of whatever kind.
#[derive(Default)]
pub(super) struct Sessions(Mutex<Vec<Weak<dyn End>>>);

trait End: Send + Sync {
    fn end(&self);
}

impl<T: Send> End for Mutex<Option<T>> {
    fn end(&self) {
        let ended = lock(self).take();
        drop(ended);
    }
}

impl Sessions {
    /// Adds one.
    pub(super) fn add<T: Send + 'static>(&self, session: &Session<T>) {
        let mut sessions = lock(&self.0);
        sessions.retain(|session| session.strong_count() > 0);
        let session: Weak<Mutex<Option<T>>> = Arc::downgrade(session);
        sessions.push(session);
    }

    /// Ends all of them, each after the call it is in.
    pub(super) fn end(&self) {
        let sessions = std::mem::take(&mut *lock(&self.0));
        for session in sessions.iter().filter_map(Weak::upgrade) {
            session.end();
        }
    }
}
