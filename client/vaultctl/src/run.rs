//! `vaultctl run ...`: a program with secrets in its environment or in files.
//!
//! The program gets them and nobody else: they stand in no argument, in no log and not in the
//! environment of `vaultctl`.

mod dotenv;
mod files;
#[cfg(unix)]
mod folder;
mod forms;
#[cfg_attr(windows, path = "run/job_windows.rs")]
mod job;
mod mask;
mod plan;
mod program;
mod reference;
#[cfg(unix)]
mod signals;
mod streams;
#[cfg(unix)]
pub(crate) mod supervisor;
mod values;

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    process::ExitCode,
};

use crate::{context::Context, failure::Failure};

use self::{
    mask::Needles, plan::Plan, program::Program, reference::Binding, streams::Masking,
    values::Values,
};

/// Sets variables for the program, and for nothing else, and ends as it ends.
///
/// Secrets are masked in what the program prints, unless that goes to a terminal. Exit code 127
/// where the program is not found, 126 where it cannot be run; those of vaultctl where it never came
/// to that, such as 3 for a secret that is missing.
#[derive(clap::Args, Debug)]
pub(crate) struct Run {
    /// Set a variable to the value of a secret
    #[arg(long = "env", value_name = "NAME=NS:ID")]
    variables: Vec<Binding>,
    /// Write a secret to a private file, which is removed when the program ends, and set a variable
    /// to its path
    #[arg(long = "file", value_name = "NAME=NS:ID")]
    files: Vec<Binding>,
    /// Set the variables of a .env file, in which `vault:NS:ID` stands for a secret
    #[arg(long = "env-file", value_name = "FILE")]
    env_files: Vec<PathBuf>,
    /// Leave secrets as they are in what the program prints
    #[arg(long)]
    no_mask: bool,
    /// The program and its arguments
    #[arg(last = true, required = true, value_name = "CMD")]
    command: Vec<OsString>,
}

impl Run {
    pub(crate) async fn run(self, context: &Context) -> Result<ExitCode, Failure> {
        job::keep_secrets_in();
        #[cfg(unix)]
        folder::sweep(&folder::place());
        let stdin = Path::new("-");
        let mut files = self.env_files.iter().chain(&context.global.passphrase_file);
        if files.any(|file| file == stdin) {
            let text = "standard input belongs to the program: name a file";
            return Err(Failure::usage(text));
        }
        let plan = Plan::new(&self.env_files, self.variables, self.files)?;
        let values = fetch(&plan, context).await?;
        let needles = if self.no_mask {
            None
        } else {
            let built = Needles::of(values.iter());
            built.map_err(|error| Failure::other(format!("secrets cannot be masked: {error}")))?
        };
        let mut program = Program::new(self.command);
        program.set(plan.variables(&values)?);
        let lease = files::hand_over(&plan, &values, &mut program)?;
        drop(values);
        job::run(program, needles.and_then(Masking::new), lease)
    }
}

/// Every secret of the plan, before anything is begun.
async fn fetch(plan: &Plan, context: &Context) -> Result<Values, Failure> {
    let names = plan.secrets();
    if names.is_empty() {
        return Ok(Values::default());
    }
    let client = context.open().await?;
    Values::fetch(names, async |name| values::read(&client, name).await).await
}
