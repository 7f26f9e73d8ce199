//! Reading the configuration anew while the daemon runs.

use std::sync::Arc;

use tokio::sync::{mpsc, watch};

use crate::{
    config::{Config, Differences, Flags, LimitsInForce},
    keeper::Keeper,
    logging::LogFilter,
    platform::{Notice, notify},
};

/// What it takes to read the configuration anew.
pub struct Reload {
    /// What the command line said, which still counts.
    pub flags: Flags,
    /// Which lines are logged.
    pub log: LogFilter,
    /// A message each time that it is to be done.
    pub asked: mpsc::Receiver<()>,
}

/// Where the configuration is in force.
pub(crate) struct InForce {
    /// As the daemon was started: what needs a restart stays as it is there.
    pub(crate) started: Config,
    /// As it was read last.
    pub(crate) newest: Config,
    pub(crate) keeper: Arc<Keeper>,
    pub(crate) limits: LimitsInForce,
    /// Why the file that is there now is not in force, for whoever looks at the service.
    pub(crate) complaint: watch::Sender<Option<String>>,
}

impl Reload {
    /// Reads the configuration whenever it is asked to. Ends when nobody can ask any more.
    pub(crate) async fn serve(mut self, mut in_force: InForce) {
        while self.asked.recv().await.is_some() {
            notify(Notice::Reloading);
            let flags = self.flags.clone();
            let loaded = tokio::task::spawn_blocking(move || Config::load(&flags)).await;
            let loaded = match loaded {
                Ok(loaded) => loaded.map_err(|error| error.to_string()),
                Err(error) => Err(error.to_string()),
            };
            in_force.take_over(loaded, &self.log);
            notify(Notice::Ready);
        }
    }
}

impl InForce {
    /// Puts a configuration in force, all of it or nothing.
    fn take_over(&mut self, loaded: Result<Config, String>, log: &LogFilter) {
        let filtered = loaded.and_then(|config| {
            let filter = log.replace(&config.log);
            filter.map_err(|error| format!("configuration: log: {error}"))?;
            Ok(config)
        });
        match filtered {
            Ok(config) => {
                self.keeper.reconfigure(&config);
                self.limits.replace(config.limits.clone());
                tell(&Differences {
                    at_once: self.newest.differences(&config).at_once,
                    after_restart: self.started.differences(&config).after_restart,
                });
                self.newest = config;
                self.complaint.send_replace(None);
            }
            Err(error) => {
                let error = error.replace('\n', " ");
                tracing::error!("the configuration before stays in force: {error}");
                let complaint = format!("not read anew: {error}");
                self.complaint.send_replace(Some(complaint));
            }
        }
    }
}

fn tell(differences: &Differences) {
    let Differences {
        at_once,
        after_restart,
    } = differences;
    if !after_restart.is_empty() {
        let settings = after_restart.join(", ");
        tracing::warn!(
            settings,
            "the configuration was read anew: restart vaultd for {settings}"
        );
    }
    let settings = at_once.join(", ");
    tracing::info!(
        settings,
        "the configuration was read anew; changed: {settings}"
    );
}
