//! The Import RPC: a task receives, a thread writes, and reads everything back.

mod handing;
mod parts;

use std::sync::Arc;

use tokio::{sync::mpsc, time::Instant};
use tonic::{Request, Status, Streaming};
use vault_proto::v1::{
    self, ImportDatabaseRequest, ImportDatabaseResponse,
    import_database_request::{Part, Start},
    import_database_response::{Done, Part as Answered},
};
use vault_store::{
    StoreError, StoreResult, Vault,
    catalogue::Kind,
    databases::{Call, INNER_VALUE, NewDatabase, Stop, StopReason, TableDigest},
    vault::NewStore,
};

use self::{
    handing::{Handed, Handing},
    parts::{Piece, Pieces},
};
use super::{
    DatabasesService,
    allowance::LONGEST_STATEMENT,
    answer::{Deadline, StopGuard},
    describe,
    outlet::Halt,
    turns,
};
use crate::service::{ANSWER_DEPTH, Answer, convert, out_of_turn, stores};

type Sender = mpsc::Sender<Result<ImportDatabaseResponse, Status>>;

fn message(part: Answered) -> ImportDatabaseResponse {
    ImportDatabaseResponse { part: Some(part) }
}

/// Takes the first message, and leaves the rest to a task.
pub(super) async fn begin(
    service: &DatabasesService,
    request: Request<Streaming<ImportDatabaseRequest>>,
) -> Result<Answer<ImportDatabaseResponse>, Status> {
    let mut stream = request.into_inner();
    let first = service.services.next(&mut stream).await?;
    let Some(Part::Start(start)) = first.and_then(|first| first.part) else {
        return Err(out_of_turn("the first message starts the import"));
    };
    let new = new_database(start)?;
    let class = new.store.size_class;
    let limit = service
        .services
        .with_vault(move |vault| Ok(vault.limit(class)));
    let limit = limit.await?.max(INNER_VALUE);
    let (answers, receiver) = mpsc::channel(ANSWER_DEPTH);
    tokio::spawn(run(service.clone(), stream, new, limit, answers));
    Ok(Answer::new(receiver))
}

fn new_database(start: Start) -> Result<NewDatabase, Status> {
    let name = stores::parse(&start.name)?;
    let without = describe::is_left_out(&name, start.without_maintenance);
    Ok(NewDatabase {
        store: NewStore {
            size_class: convert::size_class(start.size_class()),
            database: describe::options(without, Vec::new())?,
            ..NewStore::new(name, Kind::Database)
        },
        user_version: start.user_version,
        application_id: start.application_id,
        encoding: start.encoding,
    })
}

async fn run(
    service: DatabasesService,
    mut stream: Streaming<ImportDatabaseRequest>,
    new: NewDatabase,
    limit: u64,
    answers: Sender,
) {
    // As a transaction, it keeps a thread for as long as its client takes.
    let limits = service.services.limits.now();
    let until = Instant::now() + limits.transaction();
    let place = match turns::take(Arc::clone(&service.transactions), until).await {
        Ok(place) => place,
        Err(status) => {
            let _ = answers.send(Err(status)).await;
            return;
        }
    };
    let call = Call {
        stop: Stop::new(),
        wait: LONGEST_STATEMENT,
        work: LONGEST_STATEMENT,
    };
    let stop = StopGuard(Arc::clone(&call.stop));
    let deadline = Deadline::new(&call.stop, Instant::now() + limits.query());
    let halt = Halt::new(Arc::clone(&call.stop));
    let (handing, pieces) = Handing::new();
    let progress = answers.clone();
    let writing = service.services.run_at_once(move |keeper| {
        let (_place, _deadline) = (place, deadline);
        let _busy = keeper.busy();
        let vault = keeper.vault()?;
        import(&vault, &call, new, pieces, &progress)
            .map_err(|error| Box::new(keeper.refusal_of(&error)))
    });
    let receiving = async {
        let received = tokio::select! {
            received = receive(&service, &mut stream, limit, handing) => received,
            reason = halt.stopped() => Err(service.services.keeper.refusal_of(&reason.error())),
            () = answers.closed() => Err(out_of_turn("the client went away")),
        };
        if received.is_err() {
            stop.0.stop(StopReason::Cancelled);
        }
        received
    };
    let (received, written) = tokio::join!(receiving, writing);
    // What stopped the stream is why the rest was not taken.
    let last = received.and(written);
    let _ = answers.send(last.map(message)).await;
}

/// Hands on what comes until the end that the client announces, or until nobody takes it any more.
async fn receive(
    service: &DatabasesService,
    stream: &mut Streaming<ImportDatabaseRequest>,
    limit: u64,
    mut handing: Handing,
) -> Result<(), Status> {
    let mut pieces = Pieces::new(limit);
    while let Some(request) = service.services.next(stream).await? {
        let Some(piece) = pieces.take(request)? else {
            handing.room_for_long().await;
            continue;
        };
        let last = matches!(piece, Piece::End(_));
        if !handing.hand_on(piece).await || last {
            return Ok(());
        }
    }
    Err(out_of_turn("the import ended without its end"))
}

fn import(
    vault: &Vault,
    call: &Call,
    new: NewDatabase,
    mut pieces: mpsc::Receiver<Handed>,
    progress: &Sender,
) -> StoreResult<Answered> {
    let mut import = vault.import_database(call, new)?;
    let mut rows = 0;
    while let Some(Handed { piece, _long }) = pieces.blocking_recv() {
        match piece {
            Piece::Schema(entry) => import.schema(entry)?,
            Piece::Table(table) => import.table(table.name, &table.columns, table.rowid)?,
            Piece::Rows(page) => {
                import.rows(&page)?;
                rows += page.len() as u64;
                // Left out where there is no room: the next one says more.
                let _ = progress.try_send(Ok(message(Answered::Rows(rows))));
            }
            Piece::End(expected) => {
                let found = import.finish(&expected)?;
                let tables = found.into_iter().map(digest).collect();
                return Ok(Answered::Done(Done { tables }));
            }
        }
    }
    Err(StoreError::InvalidArgument(
        "the import was not received to its end; nothing of it was kept".to_owned(),
    ))
}

fn digest(found: TableDigest) -> v1::TableDigest {
    v1::TableDigest {
        name: found.name,
        rows: found.rows,
        sha256: found.sha256.to_vec(),
    }
}
