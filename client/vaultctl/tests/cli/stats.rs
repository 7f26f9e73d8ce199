//! What the daemon does, as the command line shows it.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    process::{Child, Command, Output, Stdio},
};

use serde_json::Value;

use super::{Daemon, vaultd};

const GET: &str = "vault.v1.Documents/Get";

/// A daemon that has done a little.
fn used() -> Daemon {
    let daemon = Daemon::start(&vaultd());
    prints(
        &daemon,
        &["store", "create", "notes", "--kind", "documents"],
    );
    let mut put = command(&daemon, &["doc", "put", "notes", "one"]);
    let mut put = put
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .expect("it runs");
    let mut given = put.stdin.take().expect("piped");
    given.write_all(b"{}").expect("given");
    drop(given);
    assert!(put.wait().expect("it ends").success());
    get(&daemon);
    daemon
}

fn command(daemon: &Daemon, arguments: &[&str]) -> Command {
    let mut command = daemon.vaultctl();
    command
        .arg("--no-autostart")
        .args(arguments)
        .stdin(Stdio::null());
    command
}

fn run(daemon: &Daemon, arguments: &[&str]) -> Output {
    command(daemon, arguments).output().expect("vaultctl runs")
}

fn prints(daemon: &Daemon, arguments: &[&str]) -> String {
    let output = run(daemon, arguments);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {said}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

fn get(daemon: &Daemon) {
    assert_eq!(prints(daemon, &["doc", "get", "notes", "one"]), "{}");
}

#[test]
fn people_see_calls_with_their_times_and_why_they_failed() {
    let daemon = used();
    assert_eq!(
        run(&daemon, &["doc", "get", "notes", "none"]).status.code(),
        Some(3)
    );
    let shown = prints(&daemon, &["stats"]);
    let line = |begin: &str| {
        let mut lines = shown.lines().filter(|line| line.starts_with(begin));
        let found = lines
            .next()
            .unwrap_or_else(|| panic!("no {begin} in\n{shown}"));
        found
            .split_whitespace()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    assert_eq!(
        line("METHOD"),
        ["METHOD", "CALLS", "FAILED", "P50", "P90", "P99"]
    );
    let calls = line(GET);
    assert_eq!(calls[..3], [GET, "2", "1"]);
    assert!(["µs", "ms", "s"].contains(&calls[4].as_str()), "{calls:?}");
    let failed = shown.lines().last().expect("a line");
    assert_eq!(
        failed.split_whitespace().collect::<Vec<_>>(),
        [GET, "NOT_FOUND", "1"]
    );
    for fact in [
        "since",
        "traffic",
        "syncs",
        "open",
        "under way",
        "stores",
        "memory",
    ] {
        line(fact);
    }
}

#[test]
fn programs_get_one_object() {
    let daemon = used();
    let stats: Value = serde_json::from_str(&prints(&daemon, &["stats", "--json"])).expect("JSON");
    let get = &stats["methods"][GET];
    assert_eq!(get["outcomes"]["OK"], 1);
    let (half, most) = (get["p50_us"].as_u64(), get["p99_us"].as_u64());
    assert!(half > Some(0) && half <= most, "{get}");
    assert_eq!(stats["seconds"], Value::Null);
    assert_eq!(stats["open_stores"], 1);
    assert!(stats["syncs"].as_u64() > Some(0));
    let text = prints(&daemon, &["stats", "--openmetrics"]);
    let counted = format!(r#"vaultd_calls_total{{method="{GET}",reason="OK"}} 1"#);
    assert!(
        text.contains(&counted) && text.ends_with("# EOF\n"),
        "{text}"
    );
}

/// Ends with this value.
struct Watching(Child);

impl Drop for Watching {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_watch_shows_what_came_in_each_interval() {
    let daemon = used();
    let watch = ["stats", "--watch", "--interval", "100ms", "--json"];
    let mut watch = command(&daemon, &watch);
    let mut watching = Watching(watch.stdout(Stdio::piped()).spawn().expect("vaultctl runs"));
    let lines = BufReader::new(watching.0.stdout.take().expect("piped")).lines();
    let (mut gets, mut seen) = (0, 0);
    for line in lines {
        let stats: Value = serde_json::from_str(&line.expect("a line")).expect("JSON");
        assert!(stats["seconds"].as_f64().expect("a number") > 0.05);
        // What was before it began is not in it.
        seen += stats["methods"][GET]["outcomes"]["OK"]
            .as_u64()
            .unwrap_or(0);
        if gets < 3 {
            get(&daemon);
            gets += 1;
        } else if seen == gets {
            return;
        }
        assert!(seen <= gets, "{seen} of {gets}");
    }
    panic!("it ended");
}

#[test]
fn a_watch_for_people_goes_on_until_its_reader_goes_away() {
    let daemon = used();
    let mut watch = command(&daemon, &["stats", "--watch", "--interval", "100ms"]);
    let mut watching = Watching(watch.stdout(Stdio::piped()).spawn().expect("vaultctl runs"));
    let mut shown = String::new();
    let mut output = watching.0.stdout.take().expect("piped");
    while shown.matches("CALLS/S").count() < 2 {
        let mut some = [0; 512];
        let count = output.read(&mut some).expect("read");
        assert!(count > 0, "it ended:\n{shown}");
        shown += &String::from_utf8_lossy(&some[..count]);
    }
    assert!(!shown.contains('\u{1b}'), "no terminal, no control codes");
    drop(output);
    assert!(watching.0.wait().expect("it ends").success());
}

#[test]
fn what_makes_no_sense_is_refused() {
    let daemon = used();
    for arguments in [
        &["stats", "--interval", "1s"][..],
        &["stats", "--watch", "--interval", "1ms"],
        &["stats", "--watch", "--openmetrics"],
        &["stats", "--openmetrics", "--json"],
    ] {
        assert_eq!(
            run(&daemon, arguments).status.code(),
            Some(2),
            "{arguments:?}"
        );
    }
}
