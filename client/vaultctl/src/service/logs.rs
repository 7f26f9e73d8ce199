//! `vaultctl service logs`.

use super::{
    Logs,
    host::{Host, not_run},
    manager::Manager,
};
use crate::failure::Failure;

impl Logs {
    pub(super) fn run(self, manager: &dyn Manager, host: &dyn Host) -> Result<(), Failure> {
        let line = manager.logs(self)?;
        let status = host
            .attached(&line)
            .map_err(|error| not_run(&line, &error))?;
        if status.success() {
            return Ok(());
        }
        // It has said why.
        Err(Failure::other(format!("`{line}` ended with {status}")))
    }
}
