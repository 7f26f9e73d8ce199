//! `vaultctl completions`.

use clap::CommandFactory as _;

use crate::{Cli, failure::Failure};

#[derive(clap::Args, Debug)]
pub(crate) struct Completions {
    /// The shell
    shell: clap_complete::Shell,
}

impl Completions {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "vaultctl", &mut script);
        crate::output::raw(&script)
    }
}
