//! The Import RPC: any number of documents, each taken or rejected by itself, in groups that share
//! one sync. While a group is made durable the next one is received.

use std::sync::Arc;

use tokio::{sync::mpsc, task::JoinHandle};
use tonic::{Status, Streaming};
use vault_auth::Permission;
use vault_proto::{
    CHUNK_LIMIT,
    v1::{
        ImportDocumentsRequest, ImportDocumentsResponse,
        import_documents_request::{Item, Part},
        import_documents_response::Rejection,
    },
};
use vault_store::{
    DocumentId, StoreError, StoreName,
    documents::{Change, DocumentStore, Outcome, Precondition, Write},
};

use super::{ANSWER_DEPTH, Answer, Services, convert, out_of_turn, within};
use crate::{
    error::{store_error, store_reason},
    principal::Principal,
};

/// How much is made durable at once.
const GROUP: usize = 512;
const GROUP_BYTES: usize = 4 << 20;

/// One item, received whole.
struct Received {
    index: u64,
    id: String,
    content_type: String,
    body: Vec<u8>,
}

/// What became of a group.
#[derive(Default)]
struct Tally {
    imported: u64,
    unchanged: u64,
    bytes: u64,
    rejected: Vec<Rejection>,
}

type Answers = mpsc::Sender<Result<ImportDocumentsResponse, Status>>;

/// Opens the store, creating it if need be, and starts to take items.
pub(super) async fn begin(
    services: Services,
    caller: Principal,
    mut stream: Streaming<ImportDocumentsRequest>,
) -> Result<Answer<ImportDocumentsResponse>, Status> {
    let first = services
        .next(&mut stream)
        .await?
        .and_then(|message| message.part);
    let Some(Part::Store(name)) = first else {
        return Err(out_of_turn(
            "the first message of an import names the store",
        ));
    };
    let name = StoreName::parse(&name).map_err(|error| store_error(&error.into()))?;
    let store = services
        .with_vault(move |vault| vault.documents_or_create(&name))
        .await?;
    let store = if caller.reaches_all(Permission::Read) {
        store
    } else {
        Arc::new(within(&store, caller))
    };
    let (answers, receiver) = mpsc::channel(ANSWER_DEPTH);
    let import = Import {
        services,
        stream,
        store,
        totals: ImportDocumentsResponse::default(),
        items: 0,
        committing: None,
    };
    tokio::spawn(import.run(answers));
    Ok(Answer::new(receiver))
}

struct Import {
    services: Services,
    stream: Streaming<ImportDocumentsRequest>,
    store: Arc<DocumentStore>,
    totals: ImportDocumentsResponse,
    items: u64,
    committing: Option<JoinHandle<Result<Tally, Status>>>,
}

impl Import {
    async fn run(mut self, answers: Answers) {
        let ended = self.receive(&answers).await;
        // Whatever ended the stream, what was received before is durable or reported.
        let settled = self.settle(&answers).await;
        if let Err(status) = ended.and(settled) {
            let _ = answers.send(Err(status)).await;
        }
    }

    async fn receive(&mut self, answers: &Answers) -> Result<(), Status> {
        let mut group = Vec::new();
        let mut bytes = 0;
        while let Some(part) = self.next_part().await? {
            let Part::Item(item) = part else {
                return Err(out_of_turn("a chunk without an item that still wants it"));
            };
            match self.receive_item(item).await? {
                Ok(received) => {
                    bytes += received.body.len() + received.id.len() + received.content_type.len();
                    group.push(received);
                }
                Err(rejection) => self.totals.rejected.push(rejection),
            }
            // Rejections count, too: they wait for the report as items wait for the disk.
            let full = group.len() >= GROUP || self.totals.rejected.len() >= GROUP;
            if full || bytes >= GROUP_BYTES {
                self.settle(answers).await?;
                self.commit(std::mem::take(&mut group));
                bytes = 0;
            }
        }
        self.settle(answers).await?;
        self.commit(group);
        Ok(())
    }

    async fn next_part(&mut self) -> Result<Option<Part>, Status> {
        match self.services.next(&mut self.stream).await? {
            None => Ok(None),
            Some(message) => message
                .part
                .map(Some)
                .ok_or_else(|| out_of_turn("an empty message")),
        }
    }

    /// Receives the rest of an item. One over the limit is skipped, chunk by chunk, unbuffered.
    async fn receive_item(&mut self, item: Item) -> Result<Result<Received, Rejection>, Status> {
        let index = self.items;
        self.items += 1;
        let limit = self.store.body_limit();
        let too_large = item.size > limit;
        let mut body = item.body;
        let mut received = body.len() as u64;
        if too_large {
            body = Vec::new();
        }
        while received < item.size {
            let part = self.next_part().await?;
            let Some(Part::Chunk(chunk)) = part else {
                return Err(out_of_turn("an item ended before its size"));
            };
            if chunk.is_empty() || chunk.len() > CHUNK_LIMIT {
                return Err(out_of_turn("a chunk is 1 byte to 256 KiB"));
            }
            received += chunk.len() as u64;
            if !too_large {
                body.extend_from_slice(&chunk);
            }
        }
        if received > item.size {
            return Err(out_of_turn("an item is larger than its size"));
        }
        if too_large {
            let error = StoreError::TooLarge {
                size: item.size,
                limit,
            };
            return Ok(Err(rejection(index, item.id, &error)));
        }
        Ok(Ok(Received {
            index,
            id: item.id,
            content_type: item.content_type,
            body,
        }))
    }

    /// Starts to make a group durable.
    fn commit(&mut self, group: Vec<Received>) {
        if group.is_empty() {
            return;
        }
        let services = self.services.clone();
        let store = Arc::clone(&self.store);
        self.committing = Some(tokio::spawn(async move {
            services
                .run(move |keeper| {
                    commit(&store, group).map_err(|error| Box::new(keeper.refusal_of(&error)))
                })
                .await
        }));
    }

    /// Waits for the group under way and reports it.
    async fn settle(&mut self, answers: &Answers) -> Result<(), Status> {
        if let Some(committing) = self.committing.take() {
            let tally = committing
                .await
                .map_err(|_| Status::internal("a defect of vaultd; its log has the detail"))??;
            self.totals.imported += tally.imported;
            self.totals.unchanged += tally.unchanged;
            self.totals.bytes += tally.bytes;
            self.totals.rejected.extend(tally.rejected);
        }
        let report = ImportDocumentsResponse {
            rejected: std::mem::take(&mut self.totals.rejected),
            ..self.totals.clone()
        };
        // A client that went away finds out next time: imports can be repeated.
        let _ = answers.send(Ok(report)).await;
        Ok(())
    }
}

/// Names the item by its place and its id; of one too long to be an id, by the beginning.
fn rejection(index: u64, mut id: String, error: &StoreError) -> Rejection {
    if id.len() > DocumentId::LIMIT {
        id = id.chars().take(DocumentId::LIMIT / 4).collect();
    }
    Rejection {
        index,
        id,
        reason: store_reason(error).into(),
        message: error.to_string(),
    }
}

fn write(received: Received) -> Result<(u64, Write), Box<Rejection>> {
    let Received {
        index,
        id,
        content_type,
        body,
    } = received;
    match DocumentId::parse(&id) {
        Ok(id) => {
            let content = convert::content(content_type, std::collections::HashMap::new(), body);
            let change = Change::PutIfChanged(content);
            Ok((
                index,
                Write {
                    id,
                    change,
                    precondition: Precondition::None,
                },
            ))
        }
        Err(error) => Err(Box::new(rejection(index, id, &error.into()))),
    }
}

/// Makes a group durable with one sync; where one item is not acceptable, each by itself.
fn commit(store: &DocumentStore, group: Vec<Received>) -> Result<Tally, StoreError> {
    let mut tally = Tally::default();
    let mut writes = Vec::with_capacity(group.len());
    for received in group {
        match write(received).map(|(index, write)| (index, store.check(&write), write)) {
            Ok((index, Ok(()), write)) => writes.push((index, write)),
            Ok((index, Err(error), write)) => {
                tally
                    .rejected
                    .push(rejection(index, write.id.as_str().to_owned(), &error));
            }
            Err(rejected) => tally.rejected.push(*rejected),
        }
    }
    let ids: Vec<(u64, String)> = writes
        .iter()
        .map(|(index, write)| (*index, write.id.as_str().to_owned()))
        .collect();
    let outcomes = store.write_each(writes.into_iter().map(|(_, write)| write).collect())?;
    for ((index, id), outcome) in ids.into_iter().zip(outcomes) {
        match outcome {
            Ok(Outcome::Unchanged(_)) => tally.unchanged += 1,
            Ok(Outcome::Written(head)) => {
                tally.imported += 1;
                tally.bytes += head.body_bytes();
            }
            // The disk's failure, or a lock, is no fault of the item: the import ends with it.
            Err(error @ (StoreError::Io { .. } | StoreError::Closed)) => return Err(error),
            Err(error) => tally.rejected.push(rejection(index, id, &error)),
        }
    }
    Ok(tally)
}
