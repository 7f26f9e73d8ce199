//! `vaultctl blob ls`.

use vault_client::{Client, DamagedBlob, ListedBlob};

use super::{InStore, as_json};
use crate::{context::Context, failure::Failure, output};

#[derive(clap::Args, Debug)]
pub(crate) struct List {
    #[command(flatten)]
    place: InStore,
}

/// A damaged blob as JSON.
pub(super) fn damaged_as_json(damaged: &DamagedBlob) -> serde_json::Value {
    serde_json::json!({ "damaged": damaged.object, "detail": damaged.detail })
}

/// Says that a blob is damaged, beside the output.
pub(super) fn complain(damaged: &DamagedBlob) {
    let (object, detail) = (&damaged.object, &damaged.detail);
    let text = format!("damaged: {object}: {detail}");
    eprintln!("{}", output::printable(&text));
}

impl List {
    pub(super) async fn run(self, context: &Context, client: &Client) -> Result<(), Failure> {
        let mut list = client.list_blobs(&self.place.store).await?;
        let mut blobs = Vec::new();
        let mut damaged = 0;
        while let Some(entry) = list.next().await? {
            match entry {
                ListedBlob::Blob(blob) if context.json() => output::json(&as_json(&blob))?,
                ListedBlob::Blob(blob) => blobs.push(blob),
                ListedBlob::Damaged(found) => {
                    damaged += 1;
                    if context.json() {
                        output::json(&damaged_as_json(&found))?;
                    }
                    complain(&found);
                }
            }
        }
        // The daemon lists in no order: by age, and the same each time.
        blobs.sort_by(|a, b| (a.created_ms, &a.reference).cmp(&(b.created_ms, &b.reference)));
        let rows: Vec<Vec<String>> = blobs
            .iter()
            .map(|blob| {
                vec![
                    blob.reference.clone(),
                    output::size(blob.size),
                    output::time(blob.created_ms),
                    output::printable(&blob.content_type),
                ]
            })
            .collect();
        if !rows.is_empty() {
            output::table(&["REF", "SIZE", "CREATED", "TYPE"], &rows)?;
        }
        if damaged > 0 {
            let blobs = output::count(damaged, "blob");
            return Err(Failure::other(format!("{blobs} cannot be read")));
        }
        Ok(())
    }
}
