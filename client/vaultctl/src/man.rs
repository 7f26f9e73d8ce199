//! `vaultctl man`.

use std::path::PathBuf;

use crate::{failure::Failure, folder, gateway, output};

#[derive(clap::Args, Debug)]
pub(crate) struct Man {
    /// Write the pages of all commands here instead
    folder: Option<PathBuf>,
}

impl Man {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let command = gateway::command();
        if let Some(folder) = self.folder {
            folder::create(&folder)?;
            return Ok(clap_mangen::generate_to(command, folder)?);
        }
        let mut page = Vec::new();
        clap_mangen::Man::new(command).render(&mut page)?;
        output::raw(&page)
    }
}
