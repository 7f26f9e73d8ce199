//! Programs that are run with secrets. What needs a terminal or a killed process is in
//! `.ci/real-run`.

use std::{
    fs,
    io::Write as _,
    process::{Output, Stdio},
};

use crate::{Daemon, vaultd};

const KEY: &str = "sk-live-0123456789abcdef";

/// A vault with one secret, `test:key`.
fn vault() -> Daemon {
    let daemon = Daemon::start(&vaultd());
    let mut set = daemon.vaultctl();
    let mut set = set
        .args(["secret", "set", "test:key"])
        .stdin(Stdio::piped())
        .spawn()
        .expect("vaultctl runs");
    let mut stdin = set.stdin.take().expect("a pipe");
    stdin.write_all(KEY.as_bytes()).expect("written");
    drop(stdin);
    assert!(set.wait().expect("it ends").success());
    fs::create_dir(daemon.folder.path().join("runtime")).expect("made");
    daemon
}

impl Daemon {
    /// `vaultctl run` with a script of the shell.
    fn run(&self, options: &[&str], script: &str) -> Output {
        let mut command = self.vaultctl();
        command.arg("run").args(options);
        command.args(["--", "sh", "-c", script]);
        command.env("XDG_RUNTIME_DIR", self.folder.path().join("runtime"));
        command
            .stdin(Stdio::null())
            .output()
            .expect("vaultctl runs")
    }
}

fn text(bytes: &[u8]) -> &str {
    str::from_utf8(bytes).expect("UTF-8")
}

#[test]
fn a_program_gets_the_secret_and_its_output_shows_none() {
    let vault = vault();
    let key = ["--env", "KEY=test:key"];
    // Half of the output goes another way, so that the program has to have the value.
    let script =
        "printf %s \"${KEY%abcdef}\"; printf 'abcdef %s' \"${#KEY}\"; echo $KEY >&2; exit 9";
    let masked = vault.run(&key, script);
    assert_eq!(text(&masked.stdout), "***** 24");
    assert_eq!(text(&masked.stderr), "*****\n");
    assert_eq!(masked.status.code(), Some(9));

    let shown = vault.run(&["--no-mask", key[0], key[1]], "printf %s $KEY");
    assert_eq!(text(&shown.stdout), KEY);

    let file = vault.folder.path().join("variables");
    fs::write(&file, "KEY='vault:test:key' # a secret\nOTHER=plain\n").expect("written");
    let options = ["--no-mask", "--env-file", file.to_str().expect("UTF-8")];
    let shown = vault.run(&options, "printf '%s %s' $KEY $OTHER");
    assert_eq!(text(&shown.stdout), format!("{KEY} plain"));
}

#[test]
fn a_file_is_private_and_gone_when_the_program_is() {
    let vault = vault();
    let script = "ls -l \"$KEY\" | cut -c 1-10; wc -c < \"$KEY\"; echo \"$KEY\"";
    let told = vault.run(&["--file", "KEY=test:key"], script);
    let lines: Vec<&str> = text(&told.stdout).lines().collect();
    assert_eq!((lines[0], lines[1].trim()), ("-rw-------", "24"));
    let folders = vault.folder.path().join("runtime/vaultd");
    assert!(std::path::Path::new(lines[2]).starts_with(&folders));
    assert_eq!(fs::read_dir(folders).expect("readable").count(), 0);
}

#[test]
fn a_missing_secret_stops_before_the_program_starts() {
    let vault = vault();
    let marker = vault.folder.path().join("marker");
    let script = format!("touch {}", marker.display());
    let options = ["--env", "A=test:key", "--env", "B=test:absent"];
    let stopped = vault.run(&options, &script);
    assert_eq!(stopped.status.code(), Some(3));
    assert!(text(&stopped.stderr).contains("test:absent"));
    assert!(!marker.exists());
    assert_eq!(
        vault.run(&["--env", "1A=test:key"], &script).status.code(),
        Some(2)
    );
}
