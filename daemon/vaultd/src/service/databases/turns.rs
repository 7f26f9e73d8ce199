//! Whose turn it is at a database: one writer, and as many readers as it has connections.
//!
//! Waiting happens here, without a thread: a hundred callers of one busy database must not use up
//! the threads of all others.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, timeout_at},
};
use tonic::Status;
use vault_store::{
    StoreName,
    databases::{READERS, SqlError},
};

use super::side::Side;
use crate::error::store_error;

/// Turns of every database that somebody uses now.
#[derive(Default)]
pub(super) struct Turns(Mutex<HashMap<(StoreName, Side), Weak<Semaphore>>>);

/// A turn; over when it is dropped.
pub(super) type Turn = OwnedSemaphorePermit;

/// Another held it for as long as this call could wait.
pub(super) fn busy() -> Status {
    store_error(&SqlError::Busy.into())
}

impl Turns {
    /// Waits for a turn at a database, until `until`.
    pub(super) async fn take(
        &self,
        database: &StoreName,
        side: Side,
        until: Instant,
    ) -> Result<Turn, Status> {
        take(self.of(database, side), until).await
    }

    fn of(&self, database: &StoreName, side: Side) -> Arc<Semaphore> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (database.clone(), side);
        if let Some(semaphore) = known.get(&key).and_then(Weak::upgrade) {
            return semaphore;
        }
        // What nobody holds or waits for is forgotten: names are the client's to choose.
        known.retain(|_, semaphore| semaphore.strong_count() > 0);
        let semaphore = Arc::new(Semaphore::new(match side {
            Side::Read => READERS,
            Side::Write => 1,
        }));
        known.insert(key, Arc::downgrade(&semaphore));
        semaphore
    }
}

/// Waits for one of a number of places, until `until`.
pub(super) async fn take(places: Arc<Semaphore>, until: Instant) -> Result<Turn, Status> {
    // Most often one is free, and no clock is needed.
    if let Ok(turn) = Arc::clone(&places).try_acquire_owned() {
        return Ok(turn);
    }
    match timeout_at(until, places.acquire_owned()).await {
        Ok(Ok(turn)) => Ok(turn),
        Ok(Err(_)) | Err(_) => Err(busy()),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tonic::Code;

    use super::*;

    fn name(text: &str) -> StoreName {
        StoreName::parse(text).expect("a name")
    }

    #[tokio::test]
    async fn one_writes_and_several_read() {
        let turns = Turns::default();
        // Over by then: only what is free at once is had.
        let soon = Instant::now();
        let writer = turns.take(&name("a"), Side::Write, soon).await;
        let refused = turns.take(&name("a"), Side::Write, soon).await;
        assert_eq!(refused.expect_err("held").code(), Code::Aborted);
        let mut readers = Vec::new();
        for _ in 0..READERS {
            readers.push(
                turns
                    .take(&name("a"), Side::Read, soon)
                    .await
                    .expect("free"),
            );
        }
        assert!(turns.take(&name("a"), Side::Read, soon).await.is_err());
        assert!(turns.take(&name("b"), Side::Write, soon).await.is_ok());
        drop(writer);
        assert!(turns.take(&name("a"), Side::Write, soon).await.is_ok());
    }

    #[tokio::test]
    async fn databases_that_nobody_uses_are_forgotten() {
        let turns = Turns::default();
        for number in 0..100 {
            let name = name(&format!("database-{number}"));
            let soon = Instant::now() + Duration::from_secs(1);
            let turn = turns.take(&name, Side::Read, soon).await;
            drop(turn.expect("free"));
        }
        assert_eq!(turns.0.lock().expect("no panic").len(), 1);
    }
}
