//! `vaultctl service` for a user of their own, with a systemd that notes down what it is told.

mod install;
mod power;

use std::{
    collections::BTreeMap,
    env, fs,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::PathBuf,
    process::{Command, Output, Stdio},
};

/// Notes every line down; its units are on, off and found as on a real one.
const SYSTEMCTL: &str = r#"#!/bin/sh
echo "systemctl $*" >>"$HOME/lines"
[ ! -e "$HOME/no-manager" ] || { echo "Failed to connect to bus" >&2; exit 1; }
units="$HOME/.config/systemd/user"
shift
verb=$1
shift
case $verb in
show-environment) printf 'HOME=%s\nPATH=/usr/bin\n' "$HOME" ;;
is-active) [ -e "$HOME/on/$2" ] ;;
enable) shift; for unit; do : >"$HOME/enabled/$unit"; : >"$HOME/on/$unit"; done ;;
disable) shift; for unit; do rm -f "$HOME/enabled/$unit" "$HOME/on/$unit"; done ;;
start) for unit; do : >"$HOME/on/$unit"; done ;;
stop) for unit; do rm -f "$HOME/on/$unit"; done ;;
show)
    shift
    for unit; do
        echo "Id=$unit"
        [ ! -e "$units/$unit" ] || echo "FragmentPath=$units/$unit"
        [ ! -e "$HOME/enabled/$unit" ] || echo "UnitFileState=enabled"
        [ "$unit" != vaultd.service ] || echo "ExecStart={ path=$HOME/.local/bin/vaultd ; argv[]=x }"
        echo "ActiveState=$([ -e "$HOME/on/$unit" ] && echo active || echo inactive)"
        printf 'SubState=x\n\n'
    done ;;
esac
"#;

const PROGRAM: &str = "#!/bin/sh\necho \"$(basename \"$0\") 9.8.7\"\n";

const SHOW: &str = "systemctl --user show --property=Id,FragmentPath,DropInPaths,UnitFileState,\
                    ActiveState,SubState,MainPID,ExecStart vaultd.socket vaultd.service \
                    vault-gateway.service vaultd-backup.timer vaultd-backup.service";

struct User {
    home: tempfile::TempDir,
}

impl User {
    /// A home, and beside it the folder that the programs are installed from.
    fn new() -> Self {
        let home = tempfile::tempdir().expect("a folder");
        for folder in ["tools", "from", "on", "enabled"] {
            fs::create_dir(home.path().join(folder)).expect("a folder");
        }
        let user = Self { home };
        let vaultctl = env!("CARGO_BIN_EXE_vaultctl");
        let installer = user.path("from/vaultctl");
        if fs::hard_link(vaultctl, &installer).is_err() {
            fs::copy(vaultctl, &installer).expect("copied");
        }
        user.program("from/vaultd", PROGRAM);
        user.program("from/vault-gateway", PROGRAM);
        user.program("tools/systemctl", SYSTEMCTL);
        user
    }

    fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    fn program(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::write(&path, text).expect("written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("set");
    }

    fn run(&self, arguments: &str) -> Output {
        let tools = [self.path("tools"), "/usr/bin".into(), "/bin".into()];
        let mut command = Command::new(self.path("from/vaultctl"));
        command.args(arguments.split_whitespace()).env_clear();
        command.env("HOME", self.home.path());
        command.env("PATH", env::join_paths(tools).expect("paths"));
        command.env("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nonexistent");
        command.stdin(Stdio::null()).output().expect("it runs")
    }

    /// What a command that succeeds prints, and the lines that systemd was told.
    fn does(&self, arguments: &str) -> (String, Vec<String>) {
        let _ = fs::remove_file(self.path("lines"));
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments}: {output:?}");
        let text = String::from_utf8(output.stdout).expect("UTF-8");
        (text, self.lines())
    }

    /// The exit code and the message of a command that does not.
    fn fails(&self, arguments: &str) -> (Option<i32>, String) {
        let _ = fs::remove_file(self.path("lines"));
        let output = self.run(arguments);
        let text = String::from_utf8(output.stderr).expect("UTF-8");
        (output.status.code(), text)
    }

    fn lines(&self) -> Vec<String> {
        let text = fs::read_to_string(self.path("lines")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// Every file that is not the test's own, with its mode and inode.
    fn files(&self) -> BTreeMap<String, (u32, u64)> {
        let mut found = BTreeMap::new();
        let mut folders = vec![self.path(".local"), self.path(".config")];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).into_iter().flatten() {
                let path = entry.expect("readable").path();
                let metadata = fs::symlink_metadata(&path).expect("there");
                if metadata.is_dir() {
                    folders.push(path);
                    continue;
                }
                let name = path.strip_prefix(self.home.path()).expect("inside");
                let facts = (metadata.mode() & 0o7777, metadata.ino());
                found.insert(name.display().to_string(), facts);
            }
        }
        found
    }

    fn modes(&self) -> Vec<(String, u32)> {
        let files = self.files().into_iter();
        files.map(|(name, (mode, _))| (name, mode)).collect()
    }
}

fn expected(files: &[(&str, u32)]) -> Vec<(String, u32)> {
    let files = files.iter();
    files
        .map(|(name, mode)| ((*name).to_owned(), *mode))
        .collect()
}

const RECORD: (&str, u32) = (".config/vaultctl/service.json", 0o600);
const UNITS: &str = ".config/systemd/user";
