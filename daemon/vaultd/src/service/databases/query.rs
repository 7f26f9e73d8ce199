//! The Query RPC.

use std::convert::identity;

use tonic::{Request, Status};
use vault_proto::v1::{QueryRequest, QueryResponse};

use super::{
    DatabasesService,
    allowance::{Allowance, LONGEST_STATEMENT, given_up_at},
    answer::{self, Answer},
    at_hand, refuse,
    rows::{Failure, Rows},
    side::Side,
    values,
};

/// Runs a statement and streams its rows.
pub(super) async fn begin(
    service: &DatabasesService,
    request: Request<QueryRequest>,
) -> Result<Answer<QueryResponse>, Status> {
    let given_up = given_up_at(request.metadata());
    let request = request.into_inner();
    let allowance = Allowance::new(
        request.timeout_ms,
        service.services.limits.now().statement(),
        LONGEST_STATEMENT,
    )?;
    let parameters = values::parameters(request.parameters)?;
    let side = Side::of(&request.sql);
    let place = service.place(&request.database, side, &allowance).await?;
    if side == Side::Read {
        let keeper = &service.services.keeper;
        match at_hand::query(keeper, &place.database, &request.sql, &parameters) {
            Ok(Some(message)) => return Ok(Answer::whole(message)),
            Ok(None) => {}
            Err(error) => return Err(refuse(keeper, &place.database, &error)),
        }
    }
    let call = allowance.wait_then_work();
    answer::begin(
        service,
        place,
        call,
        given_up,
        move |keeper, place, call, outlet| {
            let mut rows = Rows::new(outlet, identity);
            let queried = place.work(keeper, |database| {
                database.query(call, &request.sql, &parameters, &mut rows)
            });
            // Why rows were not taken is more to the point than that the statement was given up.
            let status = match rows.failure() {
                None => match rows.finish(queried?) {
                    Ok(()) => return Ok(()),
                    Err(unsent) => unsent.status(keeper),
                },
                Some(Failure::Unsent(unsent)) => unsent.status(keeper),
                Some(Failure::Refused(error)) => keeper.refusal_of(&error),
            };
            Err(Box::new(status))
        },
    )
    .await
}
