//! Messages on their way from a thread that works to a client that may read slowly, or not at all.

use std::{sync::Arc, time::Duration};

use tokio::{
    runtime::Handle,
    sync::{
        Notify,
        mpsc::{self, error::TrySendError},
    },
};
use tonic::Status;
use vault_proto::v1::Reason;
use vault_store::databases::{Stop, StopReason};

use crate::{
    error::{refusal, store_error},
    keeper::Keeper,
};

/// Lets a thread wait for something and for the end of its work at once.
pub(super) struct Halt {
    pub(super) stop: Arc<Stop>,
    told: Arc<Notify>,
}

impl Halt {
    pub(super) fn new(stop: Arc<Stop>) -> Self {
        let told = Arc::new(Notify::new());
        let tell = Arc::clone(&told);
        stop.on_stop(move || tell.notify_waiters());
        Self { stop, told }
    }

    /// Resolves when the work is stopped.
    pub(super) async fn stopped(&self) -> StopReason {
        loop {
            // Made before the look: told in between, it is woken all the same.
            let told = self.told.notified();
            if let Some(reason) = self.stop.reason() {
                return reason;
            }
            told.await;
        }
    }
}

/// Where a thread sends the messages of an answer.
pub(super) struct Outlet<M> {
    sender: mpsc::Sender<Result<M, Status>>,
    halt: Halt,
    idle: Duration,
    runtime: Handle,
}

impl<M> Outlet<M> {
    /// Outlet of work that `halt` ends, to a client that has `idle` to take the next one.
    /// Called in the runtime.
    pub(super) fn new(sender: mpsc::Sender<Result<M, Status>>, halt: Halt, idle: Duration) -> Self {
        let runtime = Handle::current();
        Self {
            sender,
            halt,
            idle,
            runtime,
        }
    }

    /// Sends a message, or says why no more are to be sent. Blocks.
    pub(super) fn send(&self, message: M) -> Result<(), Unsent> {
        match self.sender.try_send(Ok(message)) {
            Ok(()) => Ok(()),
            Err(TrySendError::Full(message)) => {
                self.runtime.block_on(self.room())?.send(message);
                Ok(())
            }
            Err(TrySendError::Closed(_)) => Err(Unsent::Gone),
        }
    }

    async fn room(&self) -> Result<mpsc::Permit<'_, Result<M, Status>>, Unsent> {
        tokio::select! {
            room = tokio::time::timeout(self.idle, self.sender.reserve()) => match room {
                Ok(room) => room.map_err(|_| Unsent::Gone),
                Err(_) => Err(Unsent::Slow(self.idle)),
            },
            reason = self.halt.stopped() => Err(Unsent::Stopped(reason)),
        }
    }

    /// What ends the work under way.
    pub(super) fn halt(&self) -> &Halt {
        &self.halt
    }
}

/// Why a message was not sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Unsent {
    /// The client went away.
    Gone,
    /// The client took no message for this long.
    Slow(Duration),
    /// The work was stopped.
    Stopped(StopReason),
}

impl Unsent {
    /// What the client sees.
    pub(super) fn status(self, keeper: &Keeper) -> Status {
        match self {
            Self::Gone => store_error(&StopReason::Cancelled.error()),
            Self::Slow(idle) => {
                let text = format!("no message was taken for {} seconds", idle.as_secs());
                refusal(Reason::TimedOut, text, &[])
            }
            Self::Stopped(reason) => keeper.refusal_of(&reason.error()),
        }
    }
}
