//! Checking an archive against its manifest. Needs no vault.

use std::io::Read;

use vault_crypto::Identities;

use super::{ArchiveError, Report, Summary, Tally, reading};

/// Reads an archive of whatever form to its end. What it returns was found there, every byte of it.
pub fn verify<R: Read>(
    input: R,
    identities: Option<&Identities<'_>>,
    report: &mut Report<'_>,
) -> Result<Summary, ArchiveError> {
    let (manifest, summary, mut reading) = reading::open(input, identities)?;
    let mut tally = Tally::new(report, &summary);
    for (number, store) in manifest.stores.iter().enumerate() {
        tally.add(&store.name, 0, 0)?;
        for (index, object) in store.list.iter().enumerate() {
            reading.body(object, (number, index))?;
            tally.add(&store.name, 1, object.size)?;
        }
    }
    reading.finish()?;
    Ok(summary)
}
