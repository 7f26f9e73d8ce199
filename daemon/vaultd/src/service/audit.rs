//! Audit RPCs.

mod filter;
mod pages;
mod wire;

use std::{ops::ControlFlow, sync::Arc};

use tokio::sync::mpsc;
use tonic::{Request, Response, Status};
use vault_proto::v1::{
    AcceptAuditRequest, AcceptAuditResponse, AuditRecords, AuditStatusRequest, AuditStatusResponse,
    SearchAuditRequest, TailAuditRequest, VerifyAuditRequest, VerifyAuditResponse,
    audit_server::Audit, verify_audit_response,
};
use vault_store::{StoreError, audit::AuditLog};

use self::{
    filter::Filter,
    pages::{Newest, Pages},
};
use super::{ANSWER_DEPTH, Answer, Services};
use crate::keeper::Keeper;

/// Records that a tail begins with where its request does not say, and at most.
const TAIL: u64 = 20;
const LONGEST_TAIL: u64 = 10_000;

/// The `Audit` service.
#[derive(Clone)]
pub struct AuditService(pub Services);

/// The log of a vault that is open, with all that came before this call.
fn log(keeper: &Keeper) -> Result<Arc<AuditLog>, Box<Status>> {
    keeper.existing_vault()?;
    keeper.audit().flush();
    let log = keeper.audit().log();
    log.ok_or_else(|| Box::new(keeper.refusal_of(&StoreError::Closed)))
}

impl AuditService {
    async fn log(&self) -> Result<Arc<AuditLog>, Status> {
        self.0.run(log).await
    }

    /// Hands pages to a caller until there are no more; with `follow`, for as long as it listens.
    async fn send_pages(
        &self,
        mut pages: Pages,
        follow: bool,
        sender: &mpsc::Sender<Result<AuditRecords, Status>>,
    ) -> Result<(), Status> {
        let mut written = self.0.keeper.audit().written();
        let mut closings = self.0.keeper.closings();
        loop {
            // Before they are read: what is written meanwhile is read in the next round.
            written.mark_unchanged();
            loop {
                let read = self.0.run(move |keeper| {
                    let page = pages.next();
                    let page = page.map_err(|error| Box::new(keeper.refusal_of(&error)))?;
                    Ok((pages, page))
                });
                let (rest, page) = read.await?;
                pages = rest;
                if !page.records.is_empty() || page.unreadable > 0 {
                    self.0.send(sender, &mut closings, page).await?;
                }
                if pages.at_end() || sender.is_closed() {
                    break;
                }
            }
            if !follow || sender.is_closed() {
                return Ok(());
            }
            tokio::select! {
                changed = written.changed() => if changed.is_err() {
                    return Ok(());
                },
                () = sender.closed() => return Ok(()),
                _ = closings.changed() => {
                    return Err(self.0.keeper.refusal_of(&StoreError::Closed));
                }
            }
        }
    }

    fn stream(&self, pages: Pages, follow: bool) -> Answer<AuditRecords> {
        let (sender, receiver) = mpsc::channel(ANSWER_DEPTH);
        let service = self.clone();
        tokio::spawn(async move {
            if let Err(status) = service.send_pages(pages, follow, &sender).await {
                let _ = sender.send(Err(status)).await;
            }
        });
        Answer::new(receiver)
    }
}

#[tonic::async_trait]
impl Audit for AuditService {
    async fn status(
        &self,
        _: Request<AuditStatusRequest>,
    ) -> Result<Response<AuditStatusResponse>, Status> {
        let status = self.0.run(|keeper| {
            let log = log(keeper)?.status();
            Ok(wire::status(keeper.audit(), log))
        });
        status.await.map(Response::new)
    }

    type TailStream = Answer<AuditRecords>;

    async fn tail(
        &self,
        request: Request<TailAuditRequest>,
    ) -> Result<Response<Self::TailStream>, Status> {
        let request = request.into_inner();
        let log = self.log().await?;
        let wanted = request.records.map_or(TAIL, u64::from).min(LONGEST_TAIL);
        let after = log.head().sequence.saturating_sub(wanted);
        let pages = Pages::new(log, after, Filter::default());
        Ok(Response::new(self.stream(pages, request.follow)))
    }

    type SearchStream = Answer<AuditRecords>;

    async fn search(
        &self,
        request: Request<SearchAuditRequest>,
    ) -> Result<Response<Self::SearchStream>, Status> {
        let request = request.into_inner();
        let filter = Filter::of(&request)?;
        let log = self.log().await?;
        let limit = usize::try_from(request.limit)
            .ok()
            .filter(|limit| *limit > 0);
        let mut pages = Pages::new(log, 0, filter);
        match limit {
            Some(limit) if request.newest => {
                let newest = Newest::new(limit);
                let found = self.0.run(move |keeper| {
                    let found = newest.read(pages);
                    found.map_err(|error| Box::new(keeper.refusal_of(&error)))
                });
                pages = found.await?;
            }
            Some(limit) => pages.limit(limit),
            None => {}
        }
        Ok(Response::new(self.stream(pages, false)))
    }

    async fn accept(
        &self,
        _: Request<AcceptAuditRequest>,
    ) -> Result<Response<AcceptAuditResponse>, Status> {
        let accepted = self.0.run(|keeper| {
            let accepted = log(keeper)?.accept();
            accepted.map_err(|error| Box::new(keeper.refusal_of(&error)))
        });
        accepted.await?;
        Ok(Response::new(AcceptAuditResponse {}))
    }

    type VerifyStream = Answer<VerifyAuditResponse>;

    async fn verify(
        &self,
        _: Request<VerifyAuditRequest>,
    ) -> Result<Response<Self::VerifyStream>, Status> {
        let log = self.log().await?;
        let (sender, receiver) = mpsc::channel(ANSWER_DEPTH);
        let services = self.0.clone();
        tokio::spawn(async move {
            let progress = sender.clone();
            let verified = services.run(move |keeper| {
                let verified = log.verify(&mut |bytes, total| {
                    let progress_made = verify_audit_response::Progress { bytes, total };
                    let part = verify_audit_response::Part::Progress(progress_made);
                    // Of a slow reader, some of it is passed over.
                    let _ = progress.try_send(Ok(VerifyAuditResponse { part: Some(part) }));
                    if progress.is_closed() {
                        ControlFlow::Break(())
                    } else {
                        ControlFlow::Continue(())
                    }
                });
                verified.map_err(|error| Box::new(keeper.refusal_of(&error)))
            });
            let last = match verified.await {
                Ok(Some(verified)) => Ok(wire::report(verified)),
                // Nobody listens any more.
                Ok(None) => return,
                Err(status) => Err(status),
            };
            let _ = sender.send(last).await;
        });
        Ok(Response::new(Answer::new(receiver)))
    }
}
