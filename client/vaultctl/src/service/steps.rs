//! What is done, step by step, and said; or only said.

use std::path::Path;

use serde_json::json;

use super::host::{self, CommandLine, Host};
use crate::{context::Context, failure::Failure, output};

/// Does steps one after the other.
pub(super) struct Steps<'a> {
    context: &'a Context,
    host: &'a dyn Host,
    dry_run: bool,
}

impl<'a> Steps<'a> {
    pub(super) fn new(context: &'a Context, host: &'a dyn Host, dry_run: bool) -> Self {
        Self {
            context,
            host,
            dry_run,
        }
    }

    pub(super) const fn dry_run(&self) -> bool {
        self.dry_run
    }

    /// Says what became of a file, or would.
    pub(super) fn file(&self, what: &str, path: &Path) -> Result<(), Failure> {
        if self.context.json() {
            return output::json(&json!({
                "step": what,
                "path": path.to_string_lossy(),
                "dry_run": self.dry_run,
            }));
        }
        self.line(what, &path.display().to_string())
    }

    /// Runs commands, and says so.
    pub(super) fn run(&self, lines: &[CommandLine]) -> Result<(), Failure> {
        for line in lines {
            if !self.dry_run {
                host::run(self.host, line)?;
            }
            if self.context.json() {
                output::json(&json!({
                    "step": "run",
                    "command": line.words().collect::<Vec<_>>(),
                    "dry_run": self.dry_run,
                }))?;
            } else {
                self.line("run", &line.to_string())?;
            }
        }
        Ok(())
    }

    /// Tells a person something.
    pub(super) fn say(&self, text: &str) -> Result<(), Failure> {
        if self.context.json() {
            return Ok(());
        }
        output::line(&output::printable(text))
    }

    fn line(&self, what: &str, object: &str) -> Result<(), Failure> {
        let would = if self.dry_run { "would " } else { "" };
        output::line(&format!("{would}{what:<8}{}", output::printable(object)))
    }
}
