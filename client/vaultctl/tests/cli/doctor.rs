//! `vaultctl doctor`: a report that programs read, and remedies that wait for a yes.

use std::{
    fs::{self, DirBuilder},
    os::unix::fs::DirBuilderExt as _,
    path::PathBuf,
    process::{Command, Output, Stdio},
};

use serde_json::Value;

use super::{access::text, vaultd};

/// A person's folders, with whatever daemons run in them.
struct Home {
    folder: tempfile::TempDir,
}

impl Home {
    fn new() -> Self {
        vaultd();
        let home = Self {
            folder: tempfile::tempdir().expect("a folder"),
        };
        for name in ["home", "run"] {
            let mut builder = DirBuilder::new();
            builder
                .mode(0o700)
                .create(home.path(name))
                .expect("a folder");
        }
        fs::write(home.path("passphrase"), "a passphrase for a test\n").expect("written");
        home
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn run(&self, words: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_vaultctl"));
        for variable in [
            "VAULTD_DATA_DIR",
            "VAULTD_SOCKET",
            "XDG_DATA_HOME",
            "XDG_CONFIG_HOME",
        ] {
            command.env_remove(variable);
        }
        command
            .args(words)
            .env("HOME", self.path("home"))
            .env("XDG_RUNTIME_DIR", self.path("run"))
            .env("XDG_STATE_HOME", self.path("home/state"))
            .env("VAULTD_PASSPHRASE_FILE", self.path("passphrase"))
            .env("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nonexistent")
            .stdin(Stdio::null());
        command.output().expect("vaultctl runs")
    }

    fn report(&self) -> Value {
        serde_json::from_slice(&self.run(&["doctor", "--json"]).stdout).expect("JSON")
    }

    /// Ends the daemon of a root.
    fn end(&self, root: &[&str]) {
        let status = self.run(&[root, &["status", "--json"]].concat());
        let status: Value = serde_json::from_slice(&status.stdout).expect("JSON");
        let killed = Command::new("kill").arg(status["pid"].to_string()).status();
        assert!(killed.expect("kill runs").success());
        let gone = || {
            !self
                .run(&[root, &["--no-autostart", "status"]].concat())
                .status
                .success()
        };
        assert!((0..2000).any(|_| gone()), "it never ended");
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        let status = self.run(&["--no-autostart", "status", "--json"]);
        let status = serde_json::from_slice::<Value>(&status.stdout);
        if let Ok(status) = status {
            let _ = Command::new("kill").arg(status["pid"].to_string()).status();
        }
    }
}

fn codes(report: &Value) -> Vec<&str> {
    let codes = report["reason_codes"].as_array().expect("a list");
    codes.iter().filter_map(Value::as_str).collect()
}

#[test]
fn a_legacy_root_moves_in_on_a_yes() {
    let home = Home::new();
    let legacy = home.path("home/.vaultd");
    let legacy = ["--data-dir", legacy.to_str().expect("UTF-8")];
    let init = [&legacy[..], &["init", "--keyring", "passphrase"]].concat();
    text(&home.run(&init));
    text(&home.run(&[&legacy[..], &["secret", "ls"]].concat()));
    text(
        &home.run(
            &[
                &legacy[..],
                &["store", "create", "notes", "--kind", "documents"],
            ]
            .concat(),
        ),
    );
    home.end(&legacy);

    let report = home.report();
    assert!(codes(&report).contains(&"legacy_root_found"), "{report}");
    let findings = report["findings"].as_array().expect("a list");
    let found = findings
        .iter()
        .find(|found| found["reason_code"] == "legacy_root_found");
    let found = found.expect("a finding");
    assert_eq!(
        (&found["severity"], &found["fixed"]),
        (&"warning".into(), &false.into())
    );
    assert_eq!(found["fix"], "moves it in; it stays as it is");
    let locations = &report["storage_locations"];
    assert_eq!(locations["active_root_class"], "xdg_data_home");
    assert_eq!(locations["spec_compliant"], true);
    assert_eq!(
        (&locations["legacy_root_exists"], &locations["merge_marker"]),
        (&true.into(), &false.into())
    );
    let status = home.run(&["status", "--json"]);
    let status: Value = serde_json::from_slice(&status.stdout).expect("JSON");
    assert_eq!(&status["storage_locations"], locations, "one block in both");

    assert_eq!(home.run(&["doctor"]).status.code(), Some(1));
    assert_eq!(
        home.run(&["doctor", "--yes"]).status.code(),
        Some(2),
        "to what?"
    );
    let asked = home.run(&["doctor", "--fix"]);
    assert_eq!(asked.status.code(), Some(2), "nobody to ask");
    assert!(!home.path("home/.local/share/vaultd/vault.json").exists());

    let fixed = text(&home.run(&["doctor", "--fix", "--yes"]));
    assert!(fixed.contains("moved in as a whole"), "{fixed}");
    assert_eq!(
        text(&home.run(&["store", "ls", "--json"])).lines().count(),
        1
    );
    let report = home.report();
    assert!(codes(&report).contains(&"legacy_root_moved_in"), "{report}");
    assert_eq!(report["storage_locations"]["merge_marker"], true);
    text(&home.run(&["doctor"]));
}
