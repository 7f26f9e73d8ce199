//! systemd's manager of one user.

use std::{
    env,
    ffi::OsString,
    io,
    path::{Path, PathBuf},
};

use vault_client::paths;

use super::{
    Logs,
    host::{CommandLine, Host, not_run, said},
    manager::{Manager, Part, State, Unit},
};
use crate::failure::Failure;

const SOCKET: &str = "vaultd.socket";
const SERVICE: &str = "vaultd.service";
const GATEWAY: &str = "vault-gateway.service";
const BACKUP: &str = "vaultd-backup.service";
const TIMER: &str = "vaultd-backup.timer";

/// What is asked of each unit.
const PROPERTIES: &str =
    "--property=Id,FragmentPath,DropInPaths,UnitFileState,ActiveState,SubState,MainPID,ExecStart";

pub(super) struct Systemd {
    folder: PathBuf,
    /// This program's environment.
    lookup: fn(&str) -> Option<OsString>,
}

impl Systemd {
    /// The manager of this user, which reads units in `folder`.
    pub(super) fn of_user(folder: PathBuf) -> Self {
        let lookup = |name: &str| env::var_os(name);
        Self { folder, lookup }
    }

    /// A unit's text, with folders put in that the user has elsewhere: a unit has no word for them.
    fn placed(&self, text: &str) -> Result<String, Failure> {
        let known: Vec<_> = paths::base_folders(self.lookup).collect();
        let folder = |wanted: &str| {
            let found = known.iter().find(|(name, _)| *name == wanted);
            found.and_then(|(_, folder)| folder.clone())
        };
        let mut text = text.to_owned();
        for (name, default) in paths::BASE_FOLDERS {
            // As units have it, where `%h` is the home of the user.
            let written = format!("%h/{default}/");
            if default.is_empty() || !text.contains(&written) {
                continue;
            }
            let (Some(home), Some(folder)) = (folder(paths::HOME_VARIABLE), folder(name)) else {
                return Err(Failure::usage("no folder for the service: set HOME"));
            };
            if folder != home.join(default) {
                text = text.replace(&written, &format!("{}/", in_unit(name, &folder)?));
            }
        }
        Ok(text)
    }

    /// Refuses where the manager's environment leads its services to other folders.
    fn compare(&self, environment: &str) -> Result<(), Failure> {
        let theirs = |name: &str| {
            let mut lines = environment.lines().filter_map(|line| line.split_once('='));
            lines
                .find(|(found, _)| *found == name)
                .map(|(_, value)| unquoted(value).into())
        };
        let ours = paths::base_folders(self.lookup);
        for ((name, ours), (_, theirs)) in ours.zip(paths::base_folders(theirs)) {
            if ours != theirs {
                let shown = |folder: Option<PathBuf>| {
                    folder.map_or_else(|| "nothing".to_owned(), |path| path.display().to_string())
                };
                return Err(Failure::usage(format!(
                    "{name} means {} here and {} to systemd, so that a service would use another \
                     vault: set it for both, in ~/.config/environment.d/vaultd.conf, and log in \
                     anew",
                    shown(ours),
                    shown(theirs)
                )));
            }
        }
        Ok(())
    }
}

/// A folder as a unit has it.
fn in_unit(name: &str, folder: &Path) -> Result<String, Failure> {
    // What a unit would take for more than a path, and what it would not take for one.
    let is_plain = |c: char| c.is_alphanumeric() || "/._-+@,%".contains(c);
    let text = folder.to_str().filter(|text| text.chars().all(is_plain));
    let text = text.ok_or_else(|| {
        Failure::usage(format!(
            "{name}, {}, holds characters that a unit cannot name: write the units yourself",
            folder.display()
        ))
    })?;
    Ok(text.replace('%', "%%"))
}

/// A value as `show-environment` prints it: what is not plain stands as `$'...'`.
fn unquoted(value: &str) -> String {
    let Some(quoted) = value
        .strip_prefix("$'")
        .and_then(|rest| rest.strip_suffix('\''))
    else {
        return value.to_owned();
    };
    let mut plain = String::new();
    let mut rest = quoted.chars();
    while let Some(c) = rest.next() {
        plain.extend(if c == '\\' { rest.next() } else { Some(c) });
    }
    plain
}

fn systemctl<'a>(words: impl IntoIterator<Item = &'a str>) -> CommandLine {
    CommandLine::new("systemctl", std::iter::once("--user").chain(words))
}

fn on_main_units(manager: &Systemd, words: &[&'static str], parts: &[Part]) -> CommandLine {
    let units = parts.iter().map(|part| manager.main_unit(*part));
    systemctl(words.iter().copied().chain(units))
}

impl Manager for Systemd {
    fn check(&self, host: &dyn Host) -> Result<(), Failure> {
        let line = systemctl(["show-environment"]);
        let output = host.output(&line).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => Failure::other(
                "there is no systemctl on PATH, and the service needs systemd: without it vaultctl \
                 starts the daemon when it is needed, or run `vaultd` under what keeps your programs",
            ),
            _ => not_run(&line, &error),
        })?;
        if !output.status.success() {
            return Err(Failure::other(format!(
                "no systemd of yours answers ({}): it comes with a login of your own, at a terminal \
                 or by ssh, and not with su or sudo; `loginctl enable-linger` keeps it without one",
                said(&output.stderr)
            )));
        }
        self.compare(&String::from_utf8_lossy(&output.stdout))
    }

    fn folder(&self) -> &Path {
        &self.folder
    }

    fn units(&self, part: Part) -> Result<Vec<Unit>, Failure> {
        macro_rules! units {
            ($($name:literal),+) => {
                vec![$(Unit {
                    name: $name,
                    text: self.placed(include_str!(concat!("../../../../systemd/", $name)))?,
                }),+]
            };
        }
        Ok(match part {
            Part::Daemon => units!("vaultd.socket", "vaultd.service"),
            Part::Gateway => units!("vault-gateway.service"),
            Part::Backup => units!("vaultd-backup.service", "vaultd-backup.timer"),
        })
    }

    fn folders(&self) -> Vec<PathBuf> {
        // The units see to theirs.
        Vec::new()
    }

    fn main_unit(&self, part: Part) -> &'static str {
        match part {
            Part::Daemon => SOCKET,
            Part::Gateway => GATEWAY,
            Part::Backup => TIMER,
        }
    }

    fn daemon_unit(&self) -> &'static str {
        SERVICE
    }

    fn is_listening(&self, host: &dyn Host) -> bool {
        let output = host.output(&systemctl(["is-active", "--quiet", SOCKET]));
        output.is_ok_and(|output| output.status.success())
    }

    fn reload(&self) -> Vec<CommandLine> {
        vec![systemctl(["daemon-reload"])]
    }

    fn enable(&self, parts: &[Part]) -> Vec<CommandLine> {
        vec![on_main_units(self, &["enable", "--now"], parts)]
    }

    fn disable(&self, parts: &[Part]) -> Vec<CommandLine> {
        vec![
            on_main_units(self, &["disable", "--now"], parts),
            // What the socket has started.
            systemctl(["stop", SERVICE]),
        ]
    }

    fn start(&self, parts: &[Part]) -> Vec<CommandLine> {
        vec![on_main_units(self, &["start"], parts)]
    }

    fn stop(&self, parts: &[Part]) -> Vec<CommandLine> {
        // In one transaction: between the two, a call would start the daemon again.
        let units = parts.iter().map(|part| self.main_unit(*part));
        vec![systemctl(
            std::iter::once("stop").chain(units).chain([SERVICE]),
        )]
    }

    fn states(&self, host: &dyn Host) -> Result<Vec<State>, Failure> {
        let line = systemctl(["show", PROPERTIES, SOCKET, SERVICE, GATEWAY, TIMER, BACKUP]);
        let output = host.output(&line).map_err(|error| not_run(&line, &error))?;
        if !output.status.success() {
            let said = said(&output.stderr);
            return Err(Failure::other(format!("`{line}` failed: {said}")));
        }
        let text = String::from_utf8_lossy(&output.stdout);
        let blocks = text.split("\n\n").filter(|block| !block.trim().is_empty());
        Ok(blocks.map(state).collect())
    }

    fn logs(&self, logs: Logs) -> Result<CommandLine, Failure> {
        let units = [SOCKET, SERVICE, GATEWAY, BACKUP];
        let mut words: Vec<OsString> = units
            .map(|unit| format!("--user-unit={unit}").into())
            .into();
        if logs.follow {
            words.push("--follow".into());
        }
        if let Some(lines) = logs.lines {
            words.push(format!("--lines={lines}").into());
        }
        words.extend(logs.arguments);
        Ok(CommandLine::new("journalctl", words))
    }
}

/// A unit, from the lines that `systemctl show` prints of it.
fn state(lines: &str) -> State {
    let value = |name: &str| {
        let mut pairs = lines.lines().filter_map(|line| line.split_once('='));
        let found = pairs.find(|(found, _)| *found == name);
        found.map_or("", |(_, value)| value)
    };
    let path = |text: &str| (!text.is_empty()).then(|| PathBuf::from(text));
    State {
        unit: value("Id").to_owned(),
        file: path(value("FragmentPath")),
        drop_ins: value("DropInPaths")
            .split_whitespace()
            .map(PathBuf::from)
            .collect(),
        enabled: match value("UnitFileState") {
            "static" | "indirect" => None,
            state => Some(state.starts_with("enabled")),
        },
        activity: format!("{} ({})", value("ActiveState"), value("SubState")),
        process: value("MainPID").parse().ok().filter(|pid| *pid != 0),
        // `{ path=/usr/bin/vaultd ; argv[]=/usr/bin/vaultd ; ...`
        program: value("ExecStart")
            .split_once("path=")
            .and_then(|(_, rest)| path(rest.split(" ;").next().unwrap_or_default())),
    }
}

#[cfg(test)]
mod tests {
    use super::{super::host::tests::noting, *};

    fn systemd() -> Systemd {
        Systemd {
            folder: "/home/a/.config/systemd/user".into(),
            lookup: |name| (name == "HOME").then(|| "/home/a".into()),
        }
    }

    fn data(name: &str, data: &str) -> Option<OsString> {
        match name {
            "HOME" => Some("/home/a".into()),
            "XDG_DATA_HOME" => Some(data.into()),
            "XDG_CONFIG_HOME" => Some("/srv/c".into()),
            _ => None,
        }
    }

    #[test]
    fn units_name_the_folders_that_the_user_has() {
        let unit = |lookup| {
            let folder = PathBuf::new();
            let systemd = Systemd { folder, lookup };
            systemd.placed("A=%h/.local/share/vaultd\nB=%h/.config/x %h/.local/bin/vaultd\n")
        };
        let same = unit(|name| (name == "HOME").then(|| "/home/a".into())).expect("placed");
        assert!(same.starts_with("A=%h/.local/share/vaultd\nB=%h/.config/x "));
        let placed = unit(|name| data(name, "/srv/100%")).expect("placed");
        assert_eq!(
            placed,
            "A=/srv/100%%/vaultd\nB=/srv/c/x %h/.local/bin/vaultd\n"
        );
        assert!(unit(|name| data(name, "/srv/my data")).is_err());
        assert!(unit(|_| None).is_err());
    }

    fn checked(code: u8, environment: &str) -> Result<(), String> {
        let host = noting(|_| (code, environment.to_owned()));
        let checked = systemd()
            .check(&host)
            .map_err(|failure| format!("{failure:?}"));
        assert_eq!(*host.lines.borrow(), ["systemctl --user show-environment"]);
        checked
    }

    #[test]
    fn a_manager_that_would_serve_another_vault_is_refused() {
        assert_eq!(checked(0, "HOME=/home/a\nPATH=/usr/bin\n"), Ok(()));
        assert_eq!(
            checked(0, "HOME=/home/a\nXDG_DATA_HOME=/home/a/.local/share\n"),
            Ok(())
        );
        let other = checked(0, "HOME=/home/a\nXDG_DATA_HOME=$'/srv/it\\'s'\n").expect_err("other");
        assert!(
            other
                .contains("XDG_DATA_HOME means /home/a/.local/share here and /srv/it's to systemd"),
            "{other}"
        );
        assert!(checked(0, "HOME=/root\n").is_err());
        let none = checked(1, "Failed to connect to bus").expect_err("none");
        assert!(none.contains("(Failed to connect to bus)") && none.contains("enable-linger"));
    }

    #[test]
    fn units_are_read_from_what_systemctl_shows() {
        let shown = "Id=vaultd.socket\nFragmentPath=/c/vaultd.socket\nDropInPaths=\n\
             UnitFileState=enabled\nActiveState=active\nSubState=running\n\n\
             MainPID=77\nExecStart={ path=/home/a/.local/bin/vaultd ; argv[]=/home/a/.local/bin/vaultd \
             --x ; ignore_errors=no }\nId=vaultd.service\nFragmentPath=/c/vaultd.service\n\
             DropInPaths=/d/one.conf /d/two.conf\nUnitFileState=static\nActiveState=active\n\
             SubState=running\n\nId=vault-gateway.service\nMainPID=0\nUnitFileState=\n\
             ActiveState=inactive\nSubState=dead\n";
        let host = noting(|_| (0, shown.to_owned()));
        let states = systemd().states(&host).expect("shown");
        let running = || "active (running)".to_owned();
        let expected = [
            State {
                unit: SOCKET.to_owned(),
                file: Some("/c/vaultd.socket".into()),
                enabled: Some(true),
                activity: running(),
                ..State::default()
            },
            State {
                unit: SERVICE.to_owned(),
                file: Some("/c/vaultd.service".into()),
                drop_ins: vec!["/d/one.conf".into(), "/d/two.conf".into()],
                enabled: None,
                activity: running(),
                process: Some(77),
                program: Some("/home/a/.local/bin/vaultd".into()),
            },
            State {
                unit: GATEWAY.to_owned(),
                enabled: Some(false),
                activity: "inactive (dead)".to_owned(),
                ..State::default()
            },
        ];
        assert_eq!(states, expected);
    }
}
