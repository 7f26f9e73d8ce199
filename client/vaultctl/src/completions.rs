//! `vaultctl completions`.

use crate::{failure::Failure, gateway};

#[derive(clap::Args, Debug)]
pub(crate) struct Completions {
    /// The shell
    shell: clap_complete::Shell,
}

impl Completions {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut gateway::command(), "vaultctl", &mut script);
        crate::output::raw(&script)
    }
}
