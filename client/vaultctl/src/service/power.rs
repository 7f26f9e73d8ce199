//! `vaultctl service start` and `stop`.

use super::{
    host::Host,
    manager::{self, Manager, Part},
    steps::Steps,
    takeover,
};
use crate::{context::Context, failure::Failure};

/// Starts what is installed.
pub(super) async fn start(
    context: &Context,
    manager: &dyn Manager,
    host: &dyn Host,
) -> Result<(), Failure> {
    takeover::refuse_another_vault(context)?;
    let parts = parts(manager, host)?;
    let steps = Steps::new(context, host, false);
    if !manager.is_listening(host) && takeover::take_over(context).await?.is_some() {
        steps.say("the daemon that ran by itself has ended; the next call starts another")?;
    }
    steps.run(&manager.start(&parts))
}

/// Stops it.
pub(super) fn stop(
    context: &Context,
    manager: &dyn Manager,
    host: &dyn Host,
) -> Result<(), Failure> {
    let parts = parts(manager, host)?;
    Steps::new(context, host, false).run(&manager.stop(&parts))
}

fn parts(manager: &dyn Manager, host: &dyn Host) -> Result<Vec<Part>, Failure> {
    manager.check(host)?;
    let parts = manager::installed(manager, &manager.states(host)?);
    if parts.is_empty() {
        return Err(not_installed());
    }
    Ok(parts)
}

pub(super) fn not_installed() -> Failure {
    Failure::missing("no service is installed: `vaultctl service install` does that")
}
