//! `vaultctl service uninstall`.

use std::{fs, io};

use super::{
    Uninstall,
    host::Host,
    manager::{self, Manager, Part},
    place,
    record::Record,
    steps::Steps,
};
use crate::{context::Context, failure::Failure};

impl Uninstall {
    pub(super) fn run(
        self,
        context: &Context,
        manager: &dyn Manager,
        host: &dyn Host,
    ) -> Result<(), Failure> {
        let steps = Steps::new(context, host, self.dry_run);
        if !self.dry_run {
            manager.check(host)?;
        }
        let record = Record::of_user()?;
        let known = manager.states(host).unwrap_or_default();
        let known = manager::installed(manager, &known);
        let is_there = |part: &Part| {
            let unit = manager.folder().join(manager.main_unit(*part));
            known.contains(part) || record.lists(&unit)
        };
        let parts: Vec<Part> = Part::ALL.into_iter().filter(is_there).collect();
        if parts.is_empty() && record.is_empty() {
            return steps.say("there is no service to remove");
        }
        // Before its files go: systemd finds by them what it has to undo.
        if !parts.is_empty() {
            steps.run(&manager.disable(&parts))?;
        }
        remove(record, &steps)?;
        steps.run(&manager.reload())?;
        steps.say("the vault itself, its key and its configuration stay")
    }
}

/// Removes what was put in place and is as it was put.
fn remove(record: Record, steps: &Steps<'_>) -> Result<(), Failure> {
    for path in record.paths() {
        match place::is_untouched(path, &record)? {
            None => {}
            Some(false) => steps.file("leave", path)?,
            Some(true) => {
                if !steps.dry_run() {
                    let removed = fs::remove_file(path);
                    removed.map_err(|error| failed(path, &error))?;
                }
                steps.file("remove", path)?;
            }
        }
    }
    if record.is_empty() || steps.dry_run() {
        return Ok(());
    }
    record.remove()
}

fn failed(path: &std::path::Path, error: &io::Error) -> Failure {
    Failure::other(format!("{}: {error}", path.display()))
}
