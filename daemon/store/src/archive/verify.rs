//! Checking an archive against its manifest. Needs no vault.

use std::io::Read;

use vault_crypto::Identities;

use super::{
    ArchiveError, Report, Summary, Tally,
    body::{Body, Piece},
    reading,
};

/// Reads an archive of whatever form to its end. What it returns was found there, every byte of it.
pub fn verify<R: Read>(
    input: R,
    identities: Option<&Identities<'_>>,
    report: &mut Report<'_>,
) -> Result<Summary, ArchiveError> {
    let (manifest, summary, mut reading) = reading::open(input, identities)?;
    let mut piece = Piece::new();
    let mut tally = Tally::new(report, &summary);
    for (number, store) in manifest.stores.iter().enumerate() {
        tally.add(&store.name, 0, 0)?;
        for (index, object) in store.list.iter().enumerate() {
            let content = reading.body(object, (number, index))?;
            let mut body = Body::new(content, &mut tally, &store.name);
            piece.drain(&mut body)?;
            body.done()?;
        }
    }
    reading.finish()?;
    Ok(summary)
}
