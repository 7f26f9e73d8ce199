//! A daemon that is started again where it has ended.

use std::{
    io,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::sync::Mutex;
use tonic::transport::Channel;
use vault_proto::endpoint::Place;

use crate::{
    Error, autostart,
    connect::{self, Opened, nobody_listens},
};

/// How long none is started after one was: one that ends at once is not started without end.
const BETWEEN_STARTS: Duration = Duration::from_secs(5);

/// Opens connections to the daemon of one vault.
#[derive(Debug)]
pub(super) struct Keeper {
    place: Arc<Place>,
    may_start: bool,
    /// When one was started. Held meanwhile: whoever needs it, too, waits for the same one.
    started: Mutex<Option<Instant>>,
}

impl Keeper {
    pub(super) fn new(place: Arc<Place>, may_start: bool) -> Self {
        Self {
            place,
            may_start,
            started: Mutex::new(None),
        }
    }

    /// Where the vault lies.
    pub(super) const fn place(&self) -> &Arc<Place> {
        &self.place
    }

    /// A connection, which is opened again in the same way once it has ended.
    pub(super) async fn dial(keeper: &Arc<Self>) -> Result<Channel, Error> {
        let kept = Arc::clone(keeper);
        let open = move || {
            let keeper = Arc::clone(&kept);
            async move { keeper.open().await }
        };
        connect::dial_by(&keeper.place.socket, open).await
    }

    async fn open(&self) -> io::Result<Opened> {
        let open = || connect::open(self.place.socket.clone());
        match open().await {
            Err(error) if self.may_start && nobody_listens(&error) => {}
            opened => return opened,
        }
        let mut started = self.started.lock().await;
        let recent = started.is_some_and(|at| at.elapsed() < BETWEEN_STARTS);
        // Another connection may have started it by now.
        match open().await {
            Err(error) if nobody_listens(&error) && !recent => {}
            opened => return opened,
        }
        *started = Some(Instant::now());
        let begun = autostart::start(&self.place).await;
        begun.map_err(io::Error::other)?;
        open().await
    }
}
