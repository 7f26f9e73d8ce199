//! `vaultctl service install`.

use std::{
    env,
    path::{Path, PathBuf},
};

use super::{
    Install,
    host::Host,
    manager::{self, Manager, Part},
    place::{Content, Placement, Standing},
    record::Record,
    steps::Steps,
    takeover,
};
use crate::{context::Context, failure::Failure, folder};

impl Install {
    pub(super) async fn run(
        self,
        context: &Context,
        manager: &dyn Manager,
        host: &dyn Host,
    ) -> Result<(), Failure> {
        takeover::refuse_another_vault(context)?;
        if self.with_backup {
            refuse_backup_for_nobody(manager)?;
        }
        let steps = Steps::new(context, host, self.dry_run);
        if !self.dry_run {
            manager.check(host)?;
        }
        let mut record = Record::of_user()?;
        let program = env::current_exe()?;
        let parts = self.parts(manager, host, &record);
        let placements = if is_packaged(&program, Path::is_file) {
            refuse_both(&record)?;
            Vec::new()
        } else {
            placements(manager, &parts, &program, &record)?
        };
        if !self.force {
            refuse_foreign(&placements)?;
        }
        if !self.dry_run {
            manager
                .folders()
                .iter()
                .try_for_each(|path| folder::create(path))?;
        }
        let renewed = put(&placements, &mut record, &steps)?;
        steps.run(&manager.reload())?;
        if renewed || !manager.is_listening(host) {
            steps.run(&manager.stop(&parts))?;
            if !self.dry_run && takeover::take_over(context).await?.is_some() {
                steps
                    .say("the daemon that ran by itself has ended; the next call starts another")?;
            }
        }
        steps.run(&manager.enable(&parts))?;
        if placements.is_empty() {
            return Ok(());
        }
        advise_path(&steps)
    }

    /// What was asked for, and what there is already: that is brought to the same version.
    fn parts(&self, manager: &dyn Manager, host: &dyn Host, record: &Record) -> Vec<Part> {
        // A dry run works without a manager.
        let known = manager.states(host).unwrap_or_default();
        let known = manager::installed(manager, &known);
        let is_wanted = |part: &Part| {
            let asked = match part {
                Part::Daemon => true,
                Part::Gateway => self.with_gateway,
                Part::Backup => self.with_backup,
            };
            let unit = manager.folder().join(manager.main_unit(*part));
            asked || known.contains(part) || record.lists(&unit)
        };
        Part::ALL.into_iter().filter(is_wanted).collect()
    }
}

/// A backup that nobody is there to read is not made, and nobody would notice.
fn refuse_backup_for_nobody(manager: &dyn Manager) -> Result<(), Failure> {
    if manager.units(Part::Backup)?.is_empty() {
        return Err(Failure::usage(
            "there is no backup by launchd: call `vaultctl backup` from what runs your backups",
        ));
    }
    let recipients =
        vault_client::paths::default_config_dir().map(|dir| dir.join("backup.recipients"));
    match recipients {
        Some(file) if !file.is_file() => Err(Failure::usage(format!(
            "a backup is sealed for age recipients: write them to {}, one a line, first. \
             `age-keygen -o identity.txt`, best on another machine, prints one",
            file.display()
        ))),
        _ => Ok(()),
    }
}

/// Whether this program came in a package, whose units stand where systemd finds them.
fn is_packaged(program: &Path, exists: impl Fn(&Path) -> bool) -> bool {
    vault_client::paths::PACKAGE_PREFIXES.iter().any(|prefix| {
        let prefix = Path::new(prefix);
        program.starts_with(prefix.join("bin"))
            && exists(&prefix.join("lib/systemd/user/vaultd.socket"))
    })
}

fn refuse_both(record: &Record) -> Result<(), Failure> {
    if record.is_empty() {
        return Ok(());
    }
    Err(Failure::conflict(
        "this vaultctl came in a package, and what an earlier one has installed in your home takes \
         precedence over the package: `vaultctl service uninstall` first",
    ))
}

/// What goes where for these parts.
fn placements(
    manager: &dyn Manager,
    parts: &[Part],
    program: &Path,
    record: &Record,
) -> Result<Vec<Placement>, Failure> {
    let programs = programs_folder()?;
    let mut placements = Vec::new();
    for part in parts {
        for name in part.programs() {
            let content = Content::Program(beside(program, name)?);
            placements.push(Placement::new(programs.join(name), content, record)?);
        }
        for unit in manager.units(*part)? {
            let path = manager.folder().join(unit.name);
            placements.push(Placement::new(path, Content::Text(unit.text), record)?);
        }
    }
    Ok(placements)
}

fn programs_folder() -> Result<PathBuf, Failure> {
    vault_client::paths::user_programs_dir()
        .ok_or_else(|| Failure::usage("no folder for the programs: set HOME"))
}

fn beside(program: &Path, name: &str) -> Result<PathBuf, Failure> {
    let path = program.with_file_name(name);
    if path.is_file() {
        return Ok(path);
    }
    Err(Failure::missing(format!(
        "there is no {}: the programs are installed from one folder",
        path.display()
    )))
}

fn refuse_foreign(placements: &[Placement]) -> Result<(), Failure> {
    let foreign = placements
        .iter()
        .filter(|placement| placement.standing() == Standing::Foreign);
    let shown: Vec<String> = foreign
        .map(|placement| format!("  {}", placement.path().display()))
        .collect();
    if shown.is_empty() {
        return Ok(());
    }
    Err(Failure::conflict(format!(
        "nothing was installed, for these were changed or put there by other means:\n{}\n--force \
         replaces them; changes to a unit outlast that in `systemctl --user edit UNIT`",
        shown.join("\n")
    )))
}

/// Puts files in place; whether any was new. Stopped at any moment, it can be done again.
fn put(placements: &[Placement], record: &mut Record, steps: &Steps<'_>) -> Result<bool, Failure> {
    let is_new = |placement: &Placement| placement.standing() != Standing::Same;
    let renewed = placements.iter().any(is_new);
    if renewed && !steps.dry_run() {
        for placement in placements {
            placement.announce(record);
        }
        record.write()?;
    }
    for placement in placements {
        let what = match placement.standing() {
            Standing::Same => "keep",
            Standing::Free | Standing::Earlier => "put",
            Standing::Foreign => "replace",
        };
        if is_new(placement) && !steps.dry_run() {
            placement.put()?;
        }
        steps.file(what, placement.path())?;
    }
    if renewed && !steps.dry_run() {
        for placement in placements {
            placement.settle(record);
        }
        record.write()?;
    }
    Ok(renewed)
}

/// A shell does not find the programs in a folder that is not on its path.
fn advise_path(steps: &Steps<'_>) -> Result<(), Failure> {
    let folder = programs_folder()?;
    let path = env::var_os("PATH").unwrap_or_default();
    if env::split_paths(&path).any(|known| known == folder) {
        return Ok(());
    }
    steps.say(&format!(
        "{} is not on your PATH: a new login may add it",
        folder.display()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_of_a_package_are_told_by_where_they_stand() {
        let exists = |path: &Path| path == Path::new("/usr/lib/systemd/user/vaultd.socket");
        assert!(is_packaged(Path::new("/usr/bin/vaultctl"), exists));
        assert!(!is_packaged(Path::new("/usr/local/bin/vaultctl"), exists));
        assert!(!is_packaged(
            Path::new("/home/a/.local/bin/vaultctl"),
            exists
        ));
        assert!(!is_packaged(Path::new("/usr/bin/vaultctl"), |_| false));
    }
}
