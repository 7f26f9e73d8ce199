//! `vaultctl db backup`.

use crate::{
    backup::{New, What},
    context::Context,
    failure::Failure,
};

#[derive(clap::Args, Debug)]
pub(crate) struct Backup {
    /// The database
    name: String,
    #[command(flatten)]
    new: New,
}

impl Backup {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        self.new.run(context, What::Database(&self.name)).await
    }
}
