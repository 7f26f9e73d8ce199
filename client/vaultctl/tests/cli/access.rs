//! Tokens of the command line: saved, used, revoked.

use std::{
    fs,
    io::Write as _,
    path::PathBuf,
    process::{Command, Output, Stdio},
};

use super::{Daemon, vaultd};

/// A daemon, and a folder of settings for its user.
struct Home {
    daemon: Daemon,
    config: tempfile::TempDir,
}

impl Home {
    fn new() -> Self {
        let home = Self {
            daemon: Daemon::start(&vaultd()),
            config: tempfile::tempdir().expect("a folder"),
        };
        // Access is kept in the vault, which the first use sets up.
        home.prints("store create notes --kind documents");
        home
    }

    fn vaultctl(&self, words: &str) -> Command {
        let mut command = self.daemon.vaultctl();
        command.args(words.split(' '));
        command.env("XDG_CONFIG_HOME", self.config.path());
        command.env("HOME", self.config.path());
        command.stdin(Stdio::null());
        command
    }

    /// What a command prints; it succeeds.
    fn prints(&self, words: &str) -> String {
        text(&self.vaultctl(words).output().expect("vaultctl runs"))
    }

    /// The code that a command ends with.
    fn code(&self, words: &str) -> Option<i32> {
        let ended = self.vaultctl(words).output().expect("vaultctl runs");
        assert!(!String::from_utf8_lossy(&ended.stderr).contains("vaultd_"));
        ended.status.code()
    }

    /// The same as `prints`, with a token on standard input.
    fn with_token(&self, words: &str, token: &str) -> Output {
        let mut command = self.vaultctl(words);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().expect("vaultctl runs");
        let mut stdin = child.stdin.take().expect("piped");
        writeln!(stdin, "{token}").expect("written");
        drop(stdin);
        child.wait_with_output().expect("vaultctl ends")
    }

    fn saved(&self) -> PathBuf {
        self.config.path().join("vaultctl/cli.token")
    }

    /// A token; it stands alone on standard output.
    fn token(&self, scope: &str) -> String {
        let printed = self.prints(&format!("auth tokens create --label cli --scope {scope}"));
        let token = printed.strip_suffix('\n').expect("a line").to_owned();
        assert!(token.starts_with("vaultd_") && !token.contains(char::is_whitespace));
        token
    }
}

pub(crate) fn text(output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    String::from_utf8(output.stdout.clone()).expect("UTF-8")
}

#[test]
fn a_token_is_saved_used_and_revoked() {
    let home = Home::new();
    let token = home.token("*:admin");
    let login = home.with_token("--token-file - auth login", &token);
    assert!(!text(&login).contains(&token));
    let line = fs::read_to_string(home.saved()).expect("saved");
    assert!(
        line.starts_with(&format!("{token} /")),
        "the token and its vault"
    );
    assert!(home.prints("auth whoami").contains("principal   token"));

    assert!(home.prints("auth logout").starts_with("signed out of /"));
    assert_eq!(fs::read_to_string(home.saved()).expect("empty"), "");
    assert!(home.prints("auth whoami").contains("principal   owner"));
    assert_eq!(home.prints("auth tokens ls").lines().count(), 1, "revoked");
    let refused = home.with_token("--token-file - auth login", &token);
    assert_eq!(refused.status.code(), Some(4));
    assert_eq!(home.code("auth logout"), Some(3), "nothing is saved");
}

#[test]
fn a_login_revokes_the_token_whose_place_it_takes() {
    let home = Home::new();
    let [first, second, third] = [(); 3].map(|()| home.token("*:admin"));
    let narrow = home.token("notes:read");
    let login = |token: &str| {
        let login = home.with_token("--token-file - auth login", token);
        assert!(login.status.success(), "{login:?}");
        let said = String::from_utf8_lossy(&login.stderr).into_owned();
        assert!(!said.contains("vaultd_"));
        said
    };
    assert_eq!(login(&first), "");
    assert_eq!(home.prints("auth tokens ls").lines().count(), 5);
    assert_eq!(login(&second), "");
    assert_eq!(home.prints("auth tokens ls").lines().count(), 4, "revoked");
    let refused = home.with_token("--token-file - auth whoami", &first);
    assert!(!String::from_utf8_lossy(&refused.stdout).contains("token"));

    assert_eq!(login(&second), "");
    assert!(home.prints("auth whoami").contains("principal   token"));
    assert_eq!(login(&narrow), "");
    assert_eq!(login(&third), "");
    let left = home.prints("auth tokens ls");
    assert_eq!(
        left.lines().count(),
        2,
        "a narrow one revokes itself: {left}"
    );
}

#[test]
fn a_strict_daemon_asks_the_command_line_for_a_token() {
    let home = Home::new();
    assert_eq!(home.code("auth configure --strict on"), Some(4), "no token");
    let admin = home.token("*:admin");
    let reader = home.token("notes:read");
    home.prints("auth configure --strict on");
    assert_eq!(home.code("doc ls notes"), Some(4));
    let reads = home.with_token("--token-file - doc ls notes", &reader);
    assert!(reads.status.success(), "{reads:?}");
    let creates = home.with_token("--token-file - store create more --kind documents", &reader);
    assert_eq!(creates.status.code(), Some(4));

    text(&home.with_token("--token-file - auth login", &admin));
    home.prints("store create more --kind documents");
    home.prints("auth configure --strict off");
}

#[cfg(unix)]
#[test]
fn a_token_that_others_can_read_is_not_used() {
    use std::os::unix::fs::PermissionsExt as _;
    let home = Home::new();
    let token = home.token("*:admin");
    text(&home.with_token("--token-file - auth login", &token));
    let wide = fs::Permissions::from_mode(0o644);
    fs::set_permissions(home.saved(), wide).expect("set");
    assert_eq!(home.code("auth whoami"), Some(4));
}
