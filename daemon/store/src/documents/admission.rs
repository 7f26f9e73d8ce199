//! What happens to a body before it is written: attachments that are large become blobs, and the
//! blobs that it names are made sure of.

use std::sync::{Arc, PoisonError};

use super::{
    Inner,
    write::{Change, Content, Write},
};
use crate::{
    attachments::{self, Attachment, Edit, Named},
    blobs::{BlobRef, BlobStore, OCTET_STREAM},
    catalogue::AttachmentOptions,
    error::{StoreError, StoreResult},
    references::Shared,
};

/// How often content is put anew that was collected before its document named it: each time somebody
/// has to ask for a collection without grace in that very moment.
const ATTEMPTS: usize = 3;

/// Writes that may be made as long as this is held.
pub(super) struct Admitted<'a> {
    /// Each write, or why it is refused, in the order given.
    pub(super) writes: Vec<StoreResult<Write>>,
    _shared: Option<Shared<'a>>,
}

impl Admitted<'_> {
    /// All of them, or why one is refused.
    pub(super) fn all(&mut self) -> StoreResult<Vec<Write>> {
        std::mem::take(&mut self.writes).into_iter().collect()
    }
}

/// What becomes of a body.
#[derive(Default)]
struct Plan {
    /// None where it stays as it is.
    body: Option<Vec<u8>>,
    /// Blobs without which it is refused.
    required: Vec<BlobRef>,
    /// Those of them that were stored for it just now.
    spilled: Vec<BlobRef>,
}

impl Inner {
    /// Puts large attachments into blobs, durably, and makes sure of every blob that is named. None
    /// of them is collected before what is returned is dropped.
    pub(super) fn admit(&self, writes: Vec<Write>) -> Admitted<'_> {
        let options = self.attachments();
        let mut attempt = 1;
        loop {
            let plans: Vec<_> = writes.iter().map(|one| self.plan(one, &options)).collect();
            let names: Vec<_> = writes.iter().zip(&plans).map(named).collect();
            let nothing = names.iter().all(|named| named.refs().is_empty());
            let shared = (!nothing).then(|| self.context.references.share());
            let claims: Vec<StoreResult<()>> = match &shared {
                Some(shared) => plans
                    .iter()
                    .zip(&names)
                    .map(|(plan, named)| self.claim(shared, &options, plan, named))
                    .collect(),
                None => plans.iter().map(|_| Ok(())).collect(),
            };
            let lost = plans.iter().zip(&claims).any(|(plan, claim)| match claim {
                Err(StoreError::BlobMissing(reference)) => plan
                    .as_ref()
                    .is_ok_and(|plan| plan.spilled.contains(reference)),
                _ => false,
            });
            if lost && attempt < ATTEMPTS {
                attempt += 1;
                continue;
            }
            let made = writes.into_iter().zip(plans).zip(claims);
            let writes = made.map(|((write, plan), claim)| {
                let plan = plan?;
                claim.map(|()| plan.apply(write))
            });
            return Admitted {
                writes: writes.collect(),
                _shared: shared,
            };
        }
    }

    /// What becomes of attachments, from the next write on.
    pub(super) fn configure(&self, options: AttachmentOptions) {
        let options = Arc::new(options);
        *self
            .attachments
            .write()
            .unwrap_or_else(PoisonError::into_inner) = options;
    }

    fn attachments(&self) -> Arc<AttachmentOptions> {
        let options = self.attachments.read();
        Arc::clone(&options.unwrap_or_else(PoisonError::into_inner))
    }

    fn plan(&self, write: &Write, options: &AttachmentOptions) -> StoreResult<Plan> {
        match &write.change {
            Change::Put(content) | Change::PutIfChanged(content) if content.is_well_formed() => {
                self.spill(content, options)
            }
            // What an archive holds was admitted when it was written; its blobs may come later.
            _ => Ok(Plan::default()),
        }
    }

    fn spill(&self, content: &Content, options: &AttachmentOptions) -> StoreResult<Plan> {
        let body = &content.body;
        let mut plan = Plan::default();
        let mut edits = Vec::new();
        let mut blobs = None;
        for attachment in attachments::find(body, options)? {
            match attachment {
                Attachment::Blob { reference, sizes } => {
                    if !sizes.is_empty() {
                        let references = &self.context.references;
                        let size = references.size_of(&reference, &options.store())?;
                        let text = size.to_string();
                        let wrong = sizes
                            .into_iter()
                            .filter(|range| body[range.clone()] != *text.as_bytes());
                        edits.extend(Edit::sized(size, &wrong.collect::<Vec<_>>()));
                    }
                    plan.required.push(reference);
                }
                Attachment::Inline {
                    member,
                    literal,
                    kind,
                    content_type,
                    sizes,
                } => {
                    let decoded = attachments::decode(&body[literal]);
                    // What is no base64 is something of the application's own.
                    let Some(decoded) =
                        decoded.filter(|decoded| decoded.len() as u64 >= options.threshold(kind))
                    else {
                        continue;
                    };
                    let text = content_type.map(|range| &body[range]);
                    let store = self.blobs(&mut blobs, options)?;
                    let stored = store.put(mime_type(text), &decoded)?;
                    let (reference, size) = (stored.info.reference, decoded.len() as u64);
                    edits.extend(Edit::spilled(&member, &reference, size, &sizes));
                    plan.required.push(reference);
                    plan.spilled.push(reference);
                }
            }
        }
        plan.body = (!edits.is_empty()).then(|| attachments::splice(body, edits));
        Ok(plan)
    }

    /// The store that takes blobs, opened at the first one.
    fn blobs<'a>(
        &self,
        known: &'a mut Option<Arc<BlobStore>>,
        options: &AttachmentOptions,
    ) -> StoreResult<&'a BlobStore> {
        if known.is_none() {
            let opened = self.context.references.blobs_or_create(&options.store());
            *known = Some(opened?);
        }
        Ok(known.as_deref().expect("opened just now"))
    }

    fn claim(
        &self,
        shared: &Shared<'_>,
        options: &AttachmentOptions,
        plan: &StoreResult<Plan>,
        named: &Named,
    ) -> StoreResult<()> {
        let Ok(plan) = plan else {
            return Ok(());
        };
        let references = &self.context.references;
        references.claim(shared, &options.store(), &plan.required, named.refs())
    }
}

impl Plan {
    fn apply(self, mut write: Write) -> Write {
        if let (Change::Put(content) | Change::PutIfChanged(content), Some(body)) =
            (&mut write.change, self.body)
        {
            content.body = body;
        }
        write
    }
}

/// What a write will name.
fn named((write, plan): (&Write, &StoreResult<Plan>)) -> Named {
    match (&write.change, plan) {
        (Change::Delete, _) | (_, Err(_)) => Named::default(),
        (change, Ok(plan)) => change.named(plan.body.as_deref()),
    }
}

/// A type that a blob can be given, from the inside of a string of JSON.
fn mime_type(text: Option<&[u8]>) -> &str {
    let text = text.and_then(|text| std::str::from_utf8(text).ok());
    text.filter(|text| text.len() <= 255 && text.is_ascii() && !text.contains('\\'))
        .filter(|text| !text.is_empty())
        .unwrap_or(OCTET_STREAM)
}
