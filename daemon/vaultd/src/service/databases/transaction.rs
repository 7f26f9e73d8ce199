//! The Transact RPC: a transaction that its client leads. A task listens to the client and to the
//! clock, a thread of its own does the work.

mod orders;
mod worker;

use std::{pin::pin, sync::Arc};

use tokio::{sync::mpsc, time::sleep};
use tonic::{Request, Status, Streaming};
use vault_proto::v1::{
    Reason, TransactRequest, TransactResponse, transact_request,
    transact_response::{Ended, Part},
};
use vault_store::{StoreName, databases::StopReason};

use self::{
    orders::Orders,
    worker::{Ending, Worker},
};
use super::{
    DatabasesService, Place,
    allowance::{Allowance, LONGEST_TRANSACTION, given_up_at},
    answer::StopGuard,
    outlet::{Halt, Outlet},
    side::Side,
    turns,
};
use crate::{
    error::refusal,
    service::{ANSWER_DEPTH, Answer, out_of_turn, stores},
};

type Sender = mpsc::Sender<Result<TransactResponse, Status>>;

fn message(part: Part) -> TransactResponse {
    TransactResponse { part: Some(part) }
}

/// A transaction that is to begin.
struct Leading {
    service: DatabasesService,
    stream: Streaming<TransactRequest>,
    sender: Sender,
    database: StoreName,
    /// Bytes of a statement's parameters.
    limit: u64,
    allowance: Allowance,
    read_only: bool,
}

/// Takes the first message, and leaves the rest to a task.
pub(super) async fn begin(
    service: &DatabasesService,
    request: Request<Streaming<TransactRequest>>,
) -> Result<Answer<TransactResponse>, Status> {
    let given_up = given_up_at(request.metadata());
    let mut stream = request.into_inner();
    let first = service.services.next(&mut stream).await?;
    let Some(transact_request::Part::Begin(begin)) = first.and_then(|first| first.part) else {
        return Err(out_of_turn("the first message begins the transaction"));
    };
    let mut allowance = Allowance::new(
        begin.timeout_ms,
        service.services.limits.now().transaction(),
        LONGEST_TRANSACTION,
    )?;
    if let Some(given_up) = given_up {
        allowance.shorten(given_up);
    }
    let database = stores::parse(&begin.database)?;
    let name = database.clone();
    let limit = service
        .services
        .with_vault(move |vault| Ok(vault.database(&name)?.limit()));
    let limit = limit.await?;
    let (sender, receiver) = mpsc::channel(ANSWER_DEPTH);
    let leading = Leading {
        service: service.clone(),
        stream,
        sender,
        database,
        limit,
        allowance,
        read_only: begin.read_only,
    };
    tokio::spawn(leading.run());
    Ok(Answer::new(receiver))
}

impl Leading {
    async fn run(self) {
        let sender = self.sender.clone();
        // It waits for nobody who went away.
        let place = tokio::select! {
            place = self.place() => place,
            () = sender.closed() => return,
        };
        let last = match place {
            Ok(place) => self.lead(place).await,
            Err(status) => Err(status),
        };
        let _ = sender.send(last.map(message)).await;
    }

    async fn place(&self) -> Result<Place, Status> {
        let side = if self.read_only {
            Side::Read
        } else {
            Side::Write
        };
        let until = self.allowance.until;
        // The turn first: many who wait for one database must not keep the others from theirs.
        let turn = self.service.turns.take(&self.database, side, until).await?;
        let slot = turns::take(Arc::clone(&self.service.transactions), until).await?;
        Ok(Place {
            database: self.database.clone(),
            _slot: slot,
            _turn: turn,
        })
    }

    /// Passes on what the client says until the transaction is over; returns the last message.
    async fn lead(mut self, place: Place) -> Result<Part, Status> {
        let call = self.allowance.wait_then_work();
        let stop = StopGuard(Arc::clone(&call.stop));
        let (commands, received) = mpsc::channel(1);
        let halt = Halt::new(Arc::clone(&call.stop));
        let idle = self.service.services.stream_idle();
        let worker = Worker {
            call,
            read_only: self.read_only,
            commands: received,
            outlet: Outlet::new(self.sender.clone(), halt, idle),
        };
        let work = self
            .service
            .services
            .run_at_once(move |keeper| worker.work(keeper, place));
        let mut work = pin!(work);
        let mut over = pin!(sleep(self.allowance.time));
        let mut orders = Orders::new(self.limit);
        let (mut next, mut listening, mut stopped) = (None, true, None);
        loop {
            let why = tokio::select! {
                ended = &mut work => return match ended {
                    Ok(ending) => Ok(Part::Ended(Ended { committed: ending == Ending::Committed })),
                    Err(status) => Err(stopped.unwrap_or(status)),
                },
                () = &mut over, if stopped.is_none() => self.over_time(),
                () = self.sender.closed(), if stopped.is_none() => gone(),
                room = commands.reserve(), if next.is_some() => {
                    // Where nobody receives any more, the work ends.
                    if let (Ok(room), Some(command)) = (room, next.take()) {
                        room.send(command);
                    }
                    continue;
                }
                said = self.stream.message(), if listening && next.is_none() => {
                    listening = matches!(said, Ok(Some(_)));
                    match orders.take(said) {
                        Ok(command) => {
                            next = command;
                            continue;
                        }
                        Err(status) => status,
                    }
                }
            };
            listening = false;
            stopped = Some(why);
            stop.0.stop(StopReason::Cancelled);
        }
    }

    fn over_time(&self) -> Status {
        let text = format!(
            "the transaction was open for {} ms, as long as it may; nothing of it was kept",
            self.allowance.time.as_millis()
        );
        refusal(Reason::TimedOut, text, &[])
    }
}

/// For nobody to read.
fn gone() -> Status {
    refusal(Reason::TimedOut, "the client went away", &[])
}
