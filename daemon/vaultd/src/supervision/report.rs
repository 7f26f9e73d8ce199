//! The line that `systemctl status` shows.

use std::{sync::Arc, time::Duration};

use tokio::sync::watch;

use crate::{
    keeper::{Keeper, counted},
    listener::Slots,
    platform::{Notice, notify},
};

/// The line changes at most so often, however much goes on.
const PAUSE: Duration = Duration::from_secs(1);

/// Keeps the service manager's line about the daemon true.
pub struct Report {
    /// Whose vault it is.
    pub keeper: Arc<Keeper>,
    /// The connections.
    pub slots: Slots,
    /// What is wrong with the configuration.
    pub complaint: watch::Receiver<Option<String>>,
}

impl Report {
    /// Says what is the case, now and whenever it has changed.
    pub async fn serve(mut self) {
        let mut said = String::new();
        loop {
            let line = self.line().await;
            if line != said {
                notify(Notice::Status(&line));
                said = line;
            }
            tokio::time::sleep(PAUSE).await;
            tokio::select! {
                () = self.keeper.changed() => {}
                () = self.slots.changed() => {}
                Ok(()) = self.complaint.changed() => {}
            }
        }
    }

    async fn line(&mut self) -> String {
        let keeper = Arc::clone(&self.keeper);
        let summary = tokio::task::spawn_blocking(move || keeper.summary()).await;
        let connections = counted(self.slots.taken() as u64, "connection");
        let mut line = format!("{}; {connections}", summary.unwrap_or_default());
        if let Some(complaint) = &*self.complaint.borrow_and_update() {
            line = format!("{line}; {complaint}");
        }
        line
    }
}
