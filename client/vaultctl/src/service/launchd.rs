//! launchd's domain of one user on macOS.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
};

use vault_client::paths;

use super::{
    Logs,
    host::{CommandLine, Host, not_run, said},
    manager::{Manager, Part, State, Unit},
};
use crate::failure::Failure;

const DAEMON: &str = "org.vaultd.vaultd";
const GATEWAY: &str = "org.vaultd.vault-gateway";

pub(super) struct Launchd {
    folder: PathBuf,
    /// As text: an agent's file is one, and launchd knows no word for it.
    home: String,
    user: u32,
}

impl Launchd {
    /// The domain of this user, who has agents in `folder`: `~/Library/LaunchAgents`.
    pub(super) fn of_user(folder: PathBuf) -> Result<Self, Failure> {
        let home = folder.ancestors().nth(2).and_then(Path::to_str);
        let home = home.ok_or_else(|| Failure::usage("HOME is no folder that launchd can name"))?;
        Ok(Self {
            home: home.to_owned(),
            user: rustix::process::getuid().as_raw(),
            folder,
        })
    }

    fn domain(&self) -> String {
        format!("gui/{}", self.user)
    }

    fn target(&self, label: &str) -> String {
        format!("{}/{label}", self.domain())
    }

    /// Where the agent of a part has its file.
    fn file(&self, part: Part) -> PathBuf {
        self.folder.join(format!("{}.plist", label(part)))
    }

    /// Paths in an agent's file, put in where it has those of nobody's home.
    fn placed(&self, text: &str) -> String {
        let home = self.home.replace('&', "&amp;").replace('<', "&lt;");
        let programs = format!("{home}/{}/", paths::USER_PROGRAMS);
        text.replace(paths::AGENT_PROGRAMS, &programs)
            .replace("/Users/you/", &format!("{home}/"))
    }

    fn bootout(&self, parts: &[Part]) -> Vec<CommandLine> {
        let out = |part: &Part| launchctl(["bootout".into(), self.target(label(*part)).into()]);
        // Where it is not there, nothing has to go.
        parts.iter().map(|part| out(part).or_not()).collect()
    }

    /// Takes an agent in, and makes sure of it.
    fn bootstrap(&self, part: Part) -> [CommandLine; 2] {
        let taken_in = launchctl([
            "bootstrap".into(),
            self.domain().into(),
            self.file(part).into(),
        ]);
        let is_there = launchctl(["print".into(), self.target(label(part)).into()]);
        // It fails where the agent is there already.
        [taken_in.or_not(), is_there]
    }

    /// What launchd prints of an agent; nothing where it is not there.
    fn shown(&self, host: &dyn Host, label: &str) -> Result<Option<String>, Failure> {
        let line = launchctl(["print".into(), self.target(label).into()]);
        let output = host.output(&line).map_err(|error| not_run(&line, &error))?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        Ok(output.status.success().then_some(text))
    }
}

const fn label(part: Part) -> &'static str {
    match part {
        Part::Daemon => DAEMON,
        Part::Gateway => GATEWAY,
        Part::Backup => "",
    }
}

fn launchctl(words: impl IntoIterator<Item = OsString>) -> CommandLine {
    CommandLine::new("launchctl", words)
}

impl Manager for Launchd {
    fn check(&self, host: &dyn Host) -> Result<(), Failure> {
        let line = launchctl(["print".into(), self.domain().into()]);
        let output = host.output(&line).map_err(|error| not_run(&line, &error))?;
        if output.status.success() {
            return Ok(());
        }
        Err(Failure::other(format!(
            "launchd has no session of yours ({}): log in at the screen of this machine",
            said(&output.stderr)
        )))
    }

    fn folder(&self) -> &Path {
        &self.folder
    }

    fn units(&self, part: Part) -> Result<Vec<Unit>, Failure> {
        macro_rules! unit {
            ($name:literal) => {
                vec![Unit {
                    name: $name,
                    text: self.placed(include_str!(concat!("../../../../launchd/", $name))),
                }]
            };
        }
        Ok(match part {
            Part::Daemon => unit!("org.vaultd.vaultd.plist"),
            Part::Gateway => unit!("org.vaultd.vault-gateway.plist"),
            Part::Backup => Vec::new(),
        })
    }

    fn folders(&self) -> Vec<PathBuf> {
        paths::agent_folders(Path::new(&self.home)).into()
    }

    fn main_unit(&self, part: Part) -> &'static str {
        match part {
            Part::Daemon => "org.vaultd.vaultd.plist",
            Part::Gateway => "org.vaultd.vault-gateway.plist",
            Part::Backup => "",
        }
    }

    fn daemon_unit(&self) -> &'static str {
        self.main_unit(Part::Daemon)
    }

    fn is_listening(&self, host: &dyn Host) -> bool {
        self.shown(host, DAEMON).is_ok_and(|shown| shown.is_some())
    }

    fn reload(&self) -> Vec<CommandLine> {
        Vec::new()
    }

    fn enable(&self, parts: &[Part]) -> Vec<CommandLine> {
        // An agent that was disabled once is not taken otherwise.
        let enable = |part: Part| launchctl(["enable".into(), self.target(label(part)).into()]);
        let all = |part: &Part| std::iter::once(enable(*part)).chain(self.bootstrap(*part));
        parts.iter().flat_map(all).collect()
    }

    fn disable(&self, parts: &[Part]) -> Vec<CommandLine> {
        self.bootout(parts)
    }

    fn start(&self, parts: &[Part]) -> Vec<CommandLine> {
        parts
            .iter()
            .flat_map(|part| self.bootstrap(*part))
            .collect()
    }

    fn stop(&self, parts: &[Part]) -> Vec<CommandLine> {
        self.bootout(parts)
    }

    fn states(&self, host: &dyn Host) -> Result<Vec<State>, Failure> {
        let state = |part: Part| {
            let file = Some(self.file(part)).filter(|file| file.is_file());
            let shown = self.shown(host, label(part))?;
            Ok(state(self.main_unit(part), file, shown.as_deref()))
        };
        [Part::Daemon, Part::Gateway]
            .map(state)
            .into_iter()
            .collect()
    }

    fn logs(&self, logs: Logs) -> Result<CommandLine, Failure> {
        let mut words: Vec<OsString> = Vec::new();
        if let Some(lines) = logs.lines {
            words.extend(["-n".into(), lines.to_string().into()]);
        }
        if logs.follow {
            words.push("-F".into());
        }
        words.extend(logs.arguments);
        let log = |program: &str| -> PathBuf {
            let [_, logs] = paths::agent_folders(Path::new(&self.home));
            logs.join(format!("{program}.log"))
        };
        words.push(log("vaultd").into());
        // Where it was never installed there is none.
        words.extend(
            Some(log("vault-gateway"))
                .filter(|log| log.is_file())
                .map(OsString::from),
        );
        Ok(CommandLine::new("tail", words))
    }
}

/// An agent, from the lines that `launchctl print` has of it, such as `state = running`.
fn state(unit: &str, file: Option<PathBuf>, shown: Option<&str>) -> State {
    let value = |name: &str| {
        let mut pairs = shown?.lines().filter_map(|line| line.split_once(" = "));
        let found = pairs.find(|(found, _)| found.trim() == name);
        found.map(|(_, value)| value.trim())
    };
    State {
        unit: unit.to_owned(),
        enabled: Some(file.is_some()),
        file,
        drop_ins: Vec::new(),
        activity: match shown {
            None => "not loaded".to_owned(),
            Some(_) => value("state").unwrap_or("loaded").to_owned(),
        },
        process: value("pid").and_then(|pid| pid.parse().ok()),
        program: value("program").map(PathBuf::from),
    }
}

#[cfg(test)]
mod tests {
    use super::{super::host::tests::noting, *};

    fn launchd(folder: &Path) -> Launchd {
        Launchd {
            folder: folder.to_owned(),
            home: "/Users/a&b".to_owned(),
            user: 501,
        }
    }

    fn lines(lines: &[CommandLine]) -> Vec<String> {
        lines.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn agents_are_taken_in_and_let_go_by_their_domain() {
        let launchd = launchd(Path::new("/Users/a/Library/LaunchAgents"));
        let both = [Part::Daemon, Part::Gateway];
        assert_eq!(
            lines(&launchd.enable(&both)),
            [
                "launchctl enable gui/501/org.vaultd.vaultd",
                "launchctl bootstrap gui/501 \
                 /Users/a/Library/LaunchAgents/org.vaultd.vaultd.plist",
                "launchctl print gui/501/org.vaultd.vaultd",
                "launchctl enable gui/501/org.vaultd.vault-gateway",
                "launchctl bootstrap gui/501 \
                 /Users/a/Library/LaunchAgents/org.vaultd.vault-gateway.plist",
                "launchctl print gui/501/org.vaultd.vault-gateway",
            ]
        );
        let gone = [
            "launchctl bootout gui/501/org.vaultd.vaultd",
            "launchctl bootout gui/501/org.vaultd.vault-gateway",
        ];
        assert_eq!(lines(&launchd.stop(&both)), gone);
        assert_eq!(lines(&launchd.disable(&both)), gone);
    }

    #[test]
    fn an_agents_file_has_the_programs_of_the_user() {
        let launchd = launchd(Path::new("/Users/a/Library/LaunchAgents"));
        for part in [Part::Daemon, Part::Gateway] {
            let units = launchd.units(part).expect("units");
            assert_eq!(units[0].name, launchd.main_unit(part));
            let program = format!(
                "<string>/Users/a&amp;b/.local/bin/{}</string>",
                part.programs()[0]
            );
            assert!(units[0].text.contains(&program), "{}", units[0].text);
            // But for what tells a reader how to do it by hand.
            let agent = units[0].text.split("<plist").last().expect("an agent");
            assert!(!agent.contains("/usr/local/bin") && !agent.contains("/Users/you"));
        }
    }

    #[test]
    fn agents_are_read_from_what_launchctl_prints() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("org.vaultd.vaultd.plist");
        std::fs::write(&file, "").expect("written");
        let shown = "gui/501/org.vaultd.vaultd = {\n\tstate = running\n\n\tprogram = /p/vaultd\n\
                     \tpid = 77\n}\n";
        let host = noting(|line| match line {
            "launchctl print gui/501/org.vaultd.vaultd" => (0, shown.to_owned()),
            _ => (113, "Could not find service".to_owned()),
        });
        let states = launchd(folder.path()).states(&host).expect("printed");
        let expected = [
            State {
                unit: "org.vaultd.vaultd.plist".to_owned(),
                file: Some(file),
                drop_ins: Vec::new(),
                enabled: Some(true),
                activity: "running".to_owned(),
                process: Some(77),
                program: Some("/p/vaultd".into()),
            },
            State {
                unit: "org.vaultd.vault-gateway.plist".to_owned(),
                enabled: Some(false),
                activity: "not loaded".to_owned(),
                ..State::default()
            },
        ];
        assert_eq!(states, expected);
        assert!(launchd(folder.path()).is_listening(&host));
        assert!(launchd(folder.path()).check(&host).is_err(), "no session");
    }
}
