//! A session bus and a GNOME Keyring of the test's own, reached by the environment of the daemon
//! alone. See `daemon/keyring/tests/secret_service`, which tests the backend itself.

use std::{
    fs,
    io::{Read as _, Write as _},
    os::unix::net::UnixStream,
    process::{Child, Command, Stdio},
};

use super::{Home, available, poll, signal};

const PROGRAMS: [&str; 4] = [
    "dbus-daemon",
    "dbus-send",
    "gnome-keyring-daemon",
    "secret-tool",
];
const PASSWORD: &str = "a login password";
const BUS_CONFIG: &str = r#"<busconfig>
  <type>session</type>
  <listen>unix:path=BUS</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
    RULE
  </policy>
</busconfig>
"#;

/// The configuration of the bus in `home`, with one rule more.
fn bus_config(home: &Home, rule: &str) -> String {
    let bus = home.path("bus").display().to_string();
    BUS_CONFIG.replace("BUS", &bus).replace("RULE", rule)
}

/// A bus with a keyring. Both end with this value.
pub(crate) struct Session {
    pub(crate) home: Home,
    bus: Child,
    keyring: Option<Child>,
}

impl Session {
    /// A session with an unlocked keyring; `None` where the programs are missing.
    pub(crate) fn start() -> Option<Self> {
        let mut session = Self::start_without_keyring()?;
        session.start_keyring(&["--unlock"], PASSWORD);
        session.wait_until_locked(false);
        Some(session)
    }

    /// A session on whose bus no keyring runs yet.
    pub(crate) fn start_without_keyring() -> Option<Self> {
        for program in PROGRAMS {
            let found = Command::new(program)
                .arg("--version")
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status();
            if !available(program, found.is_ok()) {
                return None;
            }
        }
        let home = Home::new();
        let path = home.path("bus");
        let home = home.with(
            "DBUS_SESSION_BUS_ADDRESS",
            format!("unix:path={}", path.display()),
        );
        fs::write(home.path("bus.conf"), bus_config(&home, "")).expect("a bus configuration");
        let mut argument = std::ffi::OsString::from("--config-file=");
        argument.push(home.path("bus.conf"));
        let bus = home
            .command("dbus-daemon")
            .arg("--nofork")
            .arg(argument)
            .spawn();
        let bus = bus.expect("dbus-daemon");
        poll(|| UnixStream::connect(&path).ok()).expect("the bus listens");
        Some(Self {
            home,
            bus,
            keyring: None,
        })
    }

    /// Starts the keyring as a login without a password does: locked.
    pub(crate) fn start_locked_keyring(&mut self) {
        self.start_keyring(&[], "");
        self.wait_until_locked(true);
    }

    fn start_keyring(&mut self, arguments: &[&str], input: &str) {
        let mut command = self.home.command("gnome-keyring-daemon");
        command
            .args(["--foreground", "--components=secrets"])
            .args(arguments);
        let keyring = command.stdin(Stdio::piped()).stderr(Stdio::null()).spawn();
        let mut keyring = keyring.expect("gnome-keyring-daemon");
        let mut stdin = keyring.stdin.take().expect("a pipe");
        stdin.write_all(input.as_bytes()).expect("the password");
        drop(stdin);
        self.keyring = Some(keyring);
        // It owns its name a moment before it is ready, and aborts when a session is opened in
        // that moment. This call needs no session.
        poll(|| self.default_collection()).expect("the keyring answers");
    }

    pub(crate) fn end_keyring(&mut self) {
        end(self.keyring.take());
    }

    /// Unlocks the running keyring as a login does: a credentials byte, then length, operation (1:
    /// unlock) and password; the answer is a length and a result (0: done).
    pub(crate) fn unlock_keyring(&self) {
        let socket = self.home.runtime().join("keyring/control");
        let mut stream = poll(|| UnixStream::connect(&socket).ok()).expect("a control socket");
        let number = |number: usize| u32::try_from(number).expect("small").to_be_bytes();
        let mut message = vec![0];
        message.extend(number(12 + PASSWORD.len()));
        message.extend(number(1));
        message.extend(number(PASSWORD.len()));
        message.extend(PASSWORD.as_bytes());
        stream.write_all(&message).expect("sent");
        let mut answer = [0; 8];
        stream.read_exact(&mut answer).expect("answered");
        assert_eq!(answer, [0, 0, 0, 8, 0, 0, 0, 0], "the password is accepted");
        self.wait_until_locked(false);
    }

    /// Locks the keyring, as a desktop does when its user goes away.
    pub(crate) fn lock_keyring(&self) {
        let collection = self.default_collection().expect("a collection");
        let argument = format!("array:objpath:{collection}");
        let path = "/org/freedesktop/secrets";
        self.send(path, "org.freedesktop.Secret.Service.Lock", &[&argument])
            .expect("locked");
        self.wait_until_locked(true);
    }

    /// Hangs, as a keyring does whose dialog nobody answers.
    pub(crate) fn pause_keyring(&self) {
        signal("-STOP", self.keyring.as_ref().expect("a keyring").id());
    }

    pub(crate) fn resume_keyring(&self) {
        signal("-CONT", self.keyring.as_ref().expect("a keyring").id());
    }

    /// From now on the bus lets nobody talk to the keyring.
    pub(crate) fn deny(&self) {
        let rule = r#"<deny send_destination="org.freedesktop.secrets"/>"#;
        fs::write(self.home.path("bus.conf"), bus_config(&self.home, rule)).expect("written");
        let mut command = self.home.command("dbus-send");
        command.args([
            "--session",
            "--print-reply",
            "--dest=org.freedesktop.DBus",
            "/org/freedesktop/DBus",
        ]);
        let reloaded = command.arg("org.freedesktop.DBus.ReloadConfig").status();
        assert!(reloaded.is_ok_and(|status| status.success()));
    }

    /// Deletes every entry of ours.
    pub(crate) fn clear(&self) {
        self.clear_matching(&[]);
    }

    /// Deletes one entry of a vault.
    pub(crate) fn clear_entry(&self, vault_id: &str, name: &str) {
        self.clear_matching(&["username", &format!("{vault_id}/{name}")]);
    }

    fn clear_matching(&self, more: &[&str]) {
        let cleared = self
            .home
            .command("secret-tool")
            .args(["clear", "service", "vaultd"])
            .args(more)
            .status();
        assert!(cleared.is_ok_and(|status| status.success()));
    }

    /// What a person sees of an entry of ours, value aside.
    pub(crate) fn search(&self, account: &str) -> String {
        let found = self
            .home
            .command("secret-tool")
            .args(["search", "service", "vaultd", "username", account])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .output();
        String::from_utf8_lossy(&found.expect("secret-tool").stdout).into_owned()
    }

    /// Puts an entry there that looks like one of ours.
    pub(crate) fn store(&self, account: &str, text: &str) {
        let mut command = self.home.command("secret-tool");
        command.args(["store", "--label", "stray", "service", "vaultd"]);
        command.args(["username", account]).stdin(Stdio::piped());
        let mut child = command.spawn().expect("secret-tool");
        let mut stdin = child.stdin.take().expect("a pipe");
        stdin.write_all(text.as_bytes()).expect("the value");
        drop(stdin);
        assert!(child.wait().expect("it ends").success());
    }

    /// How many entries of ours there are, the audit log's anchor aside, which comes when there is
    /// something to remember.
    pub(crate) fn entries(&self) -> usize {
        let labels = self.labels();
        labels
            .iter()
            .filter(|one| !one.contains(" audit anchor "))
            .count()
    }

    /// What people see of each entry of ours.
    pub(crate) fn labels(&self) -> Vec<String> {
        let found = self
            .home
            .command("secret-tool")
            .args(["search", "--all", "service", "vaultd"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .output();
        let text = String::from_utf8_lossy(&found.expect("secret-tool").stdout).into_owned();
        text.lines()
            .filter_map(|line| Some(line.strip_prefix("label =")?.to_owned()))
            .collect()
    }

    fn wait_until_locked(&self, locked: bool) {
        let as_wanted = poll(|| {
            let Some(collection) = self.default_collection().filter(|path| path != "/") else {
                // Without a collection the keyring counts as locked.
                return locked.then_some(());
            };
            let arguments = ["string:org.freedesktop.Secret.Collection", "string:Locked"];
            let answer = self.send(
                &collection,
                "org.freedesktop.DBus.Properties.Get",
                &arguments,
            )?;
            answer.contains(&format!("boolean {locked}")).then_some(())
        });
        as_wanted.expect("the keyring is as wanted");
    }

    fn default_collection(&self) -> Option<String> {
        let path = "/org/freedesktop/secrets";
        let method = "org.freedesktop.Secret.Service.ReadAlias";
        let answer = self.send(path, method, &["string:default"])?;
        let (_, rest) = answer.split_once("object path \"")?;
        Some(rest.split_once('"')?.0.to_owned())
    }

    fn send(&self, path: &str, method: &str, arguments: &[&str]) -> Option<String> {
        let mut command = self.home.command("dbus-send");
        command
            .args([
                "--session",
                "--print-reply",
                "--dest=org.freedesktop.secrets",
                path,
                method,
            ])
            .args(arguments);
        let answer = command
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .output()
            .expect("dbus-send");
        answer
            .status
            .success()
            .then(|| String::from_utf8_lossy(&answer.stdout).into_owned())
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        end(self.keyring.take());
        let _ = self.bus.kill();
        let _ = self.bus.wait();
    }
}

fn end(child: Option<Child>) {
    if let Some(mut child) = child {
        let _ = child.kill();
        let _ = child.wait();
    }
}
