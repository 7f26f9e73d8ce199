//! Other programs: what is run, and who runs it.

use std::{
    ffi::{OsStr, OsString},
    fmt, io,
    process::{Command, ExitStatus, Output, Stdio},
};

use crate::failure::Failure;

/// A program with its arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CommandLine {
    program: OsString,
    arguments: Vec<OsString>,
    may_fail: bool,
}

impl CommandLine {
    /// One whose failure is a failure.
    pub(super) fn new<A: Into<OsString>>(
        program: impl Into<OsString>,
        arguments: impl IntoIterator<Item = A>,
    ) -> Self {
        Self {
            program: program.into(),
            arguments: arguments.into_iter().map(Into::into).collect(),
            may_fail: false,
        }
    }

    /// One whose failure says that there was nothing to do.
    pub(super) fn or_not(self) -> Self {
        Self {
            may_fail: true,
            ..self
        }
    }

    /// The program and its arguments, as text.
    pub(super) fn words(&self) -> impl Iterator<Item = std::borrow::Cow<'_, str>> {
        let words = std::iter::once(&self.program).chain(&self.arguments);
        words.map(|word| word.to_string_lossy())
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments);
        command
    }
}

/// As a shell takes it.
impl fmt::Display for CommandLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, word) in self.words().enumerate() {
            if index > 0 {
                f.write_str(" ")?;
            }
            let is_plain = |c: char| c.is_alphanumeric() || "-_=./:,@%+".contains(c);
            if !word.is_empty() && word.chars().all(is_plain) {
                f.write_str(&word)?;
            } else {
                write!(f, "'{}'", word.replace('\'', r"'\''"))?;
            }
        }
        Ok(())
    }
}

/// Runs programs. Tests have one that notes them down instead.
pub(super) trait Host {
    /// Runs one to its end, for what it prints.
    fn output(&self, line: &CommandLine) -> io::Result<Output>;
    /// Runs one with the terminal of this program.
    fn attached(&self, line: &CommandLine) -> io::Result<ExitStatus>;
}

/// The system itself.
pub(super) struct System;

impl Host for System {
    fn output(&self, line: &CommandLine) -> io::Result<Output> {
        line.command().stdin(Stdio::null()).output()
    }

    fn attached(&self, line: &CommandLine) -> io::Result<ExitStatus> {
        line.command().status()
    }
}

/// Runs a program to its end. Its failure is told in its own words.
pub(super) fn run(host: &dyn Host, line: &CommandLine) -> Result<(), Failure> {
    let output = host.output(line).map_err(|error| not_run(line, &error))?;
    if output.status.success() || line.may_fail {
        return Ok(());
    }
    Err(Failure::other(format!(
        "`{line}` failed: {}",
        said(&output.stderr)
    )))
}

/// A program that could not be started.
pub(super) fn not_run(line: &CommandLine, error: &io::Error) -> Failure {
    Failure::other(format!("`{line}` was not run: {error}"))
}

/// What a program said, on one line.
pub(super) fn said(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    text.lines().map(str::trim).collect::<Vec<_>>().join("; ")
}

/// What a program prints when it is asked for its version; `None` where it does not say.
pub(super) fn version(host: &dyn Host, program: &OsStr) -> Option<String> {
    let output = host
        .output(&CommandLine::new(program, ["--version"]))
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let version = text.split_whitespace().last()?;
    output.status.success().then(|| version.to_owned())
}

#[cfg(test)]
pub(super) mod tests {
    use std::{cell::RefCell, os::unix::process::ExitStatusExt as _};

    use super::*;

    /// Notes down what it is to run, and answers as it was told.
    pub(in super::super) struct Noted<F> {
        pub(in super::super) lines: RefCell<Vec<String>>,
        answer: F,
    }

    /// `answer` gives the exit code and what is printed for a line.
    pub(in super::super) fn noting<F: Fn(&str) -> (u8, String)>(answer: F) -> Noted<F> {
        Noted {
            lines: RefCell::default(),
            answer,
        }
    }

    impl<F: Fn(&str) -> (u8, String)> Host for Noted<F> {
        fn output(&self, line: &CommandLine) -> io::Result<Output> {
            let line = line.to_string();
            let (code, text) = (self.answer)(&line);
            self.lines.borrow_mut().push(line);
            Ok(Output {
                status: ExitStatus::from_raw(i32::from(code) << 8),
                stdout: text.clone().into_bytes(),
                stderr: text.into_bytes(),
            })
        }

        fn attached(&self, line: &CommandLine) -> io::Result<ExitStatus> {
            self.output(line).map(|output| output.status)
        }
    }

    #[test]
    fn a_line_is_shown_as_a_shell_takes_it() {
        let line = CommandLine::new("a b", ["--x=%h/y", "it's", ""]);
        assert_eq!(line.to_string(), r"'a b' --x=%h/y 'it'\''s' ''");
    }

    #[test]
    fn a_failure_is_told_in_the_programs_words_unless_it_says_that_there_was_nothing_to_do() {
        let host = noting(|_| (5, "no such unit\n  really\n".to_owned()));
        let line = CommandLine::new("systemctl", ["start"]);
        let failed = format!("{:?}", run(&host, &line).expect_err("failed"));
        assert!(failed.contains("`systemctl start` failed: no such unit; really"));
        assert!(run(&host, &line.or_not()).is_ok());
    }
}
