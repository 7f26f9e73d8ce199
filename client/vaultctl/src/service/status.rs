//! `vaultctl service status`.

use std::path::{Path, PathBuf};

use serde_json::json;

use super::{
    host::{self, Host},
    manager::{self, Manager, State},
    place, power,
    record::Record,
};
use crate::{context::Context, failure::Failure, output};

/// A program that a unit runs.
struct Program {
    path: PathBuf,
    /// The version of the file.
    installed: Option<String>,
    /// The version of the process, which may have begun before the file was replaced.
    running: Option<String>,
}

pub(super) async fn run(
    context: &Context,
    manager: &dyn Manager,
    host: &dyn Host,
) -> Result<(), Failure> {
    manager.check(host)?;
    let states = manager.states(host)?;
    let record = Record::of_user()?;
    let mut programs = Vec::new();
    for state in &states {
        let Some(path) = &state.program else { continue };
        let is_daemon = state.unit == manager.daemon_unit();
        let running = match state.process {
            Some(process) if is_daemon => running(context, process).await,
            _ => None,
        };
        programs.push(Program {
            path: path.clone(),
            installed: host::version(host, path.as_os_str()),
            running,
        });
    }
    if context.json() {
        for state in &states {
            json(state, &record)?;
        }
        for program in &programs {
            output::json(&json!({
                "program": program.path.to_string_lossy(),
                "version": program.installed,
                "running_version": program.running,
            }))?;
        }
    } else {
        show(&states, &programs, &record)?;
    }
    if manager::installed(manager, &states).is_empty() {
        return Err(power::not_installed());
    }
    Ok(())
}

/// The version of the daemon that is this process. It runs, so that this starts none.
async fn running(context: &Context, process: u32) -> Option<String> {
    let client = context.connect_to_running().await.ok()??;
    let status = client.status().await.ok()?;
    (status.pid == process).then_some(status.version)
}

/// Where a unit's file comes from, and whether it is as it was put there.
fn file(state: &State, record: &Record) -> &'static str {
    let Some(path) = &state.file else {
        return "absent";
    };
    if !record.lists(path) {
        return "not by vaultctl";
    }
    match place::is_untouched(path, record) {
        Ok(Some(true)) if state.drop_ins.is_empty() => "installed",
        Ok(Some(true)) => "installed, with changes beside it",
        _ => "changed",
    }
}

fn enabled(state: &State) -> &'static str {
    match (&state.file, state.enabled) {
        (None, _) => "-",
        (_, None) => "by another",
        (_, Some(true)) => "yes",
        (_, Some(false)) => "no",
    }
}

fn json(state: &State, record: &Record) -> Result<(), Failure> {
    output::json(&json!({
        "unit": state.unit,
        "file": state.file.as_deref().map(Path::to_string_lossy),
        "standing": file(state, record),
        "drop_ins": state.drop_ins.iter().map(|path| path.to_string_lossy()).collect::<Vec<_>>(),
        "enabled": state.enabled,
        "activity": state.activity,
        "pid": state.process,
        "program": state.program.as_deref().map(Path::to_string_lossy),
    }))
}

fn show(states: &[State], programs: &[Program], record: &Record) -> Result<(), Failure> {
    let rows = states.iter().map(|state| {
        vec![
            output::printable(&state.unit),
            file(state, record).to_owned(),
            enabled(state).to_owned(),
            output::printable(&state.activity),
            state
                .process
                .map_or_else(|| "-".to_owned(), |pid| pid.to_string()),
        ]
    });
    let rows: Vec<_> = rows.collect();
    output::table(&["UNIT", "FILE", "ENABLED", "STATE", "PROCESS"], &rows)?;
    if programs.is_empty() {
        return Ok(());
    }
    output::line("")?;
    let rows: Vec<_> = programs.iter().map(row).collect();
    output::table(&["PROGRAM", "VERSION", "RUNNING"], &rows)
}

fn row(program: &Program) -> Vec<String> {
    let shown = |version: &Option<String>| {
        version
            .as_deref()
            .map_or_else(|| "-".to_owned(), output::printable)
    };
    let path: &Path = &program.path;
    vec![
        output::printable(&path.display().to_string()),
        shown(&program.installed),
        shown(&program.running),
    ]
}
