//! The Check RPC.

use std::{ops::ControlFlow, time::Duration};

use tonic::{Request, Status};
use vault_proto::{
    CHUNK_LIMIT,
    v1::{CheckDatabaseRequest, CheckDatabaseResponse},
};

use super::{
    DatabasesService,
    allowance::{Allowance, LONGEST_STATEMENT, given_up_at},
    answer::{self, Answer},
    side::Side,
};
use crate::service::stores;

/// Checks a database, however large. Writers wait while the codes of its pages are checked, and for
/// that no longer than they allow; what comes then is read beside them.
const TIME: Duration = LONGEST_STATEMENT;

/// Starts to check a database.
pub(super) async fn begin(
    service: &DatabasesService,
    request: Request<CheckDatabaseRequest>,
) -> Result<Answer<CheckDatabaseResponse>, Status> {
    let given_up = given_up_at(request.metadata());
    let request = request.into_inner();
    let allowance = Allowance::new(request.timeout_ms, TIME, LONGEST_STATEMENT)?;
    // Before the place: whoever waits for the writer keeps no reader from its turn.
    let name = stores::parse(&request.database)?;
    let writer = service.turns.take(&name, Side::Write, allowance.until);
    let mut writer = Some(writer.await?);
    let place = service
        .place(&request.database, Side::Read, &allowance)
        .await?;
    let call = allowance.wait_then_work();
    answer::begin(
        service,
        place,
        call,
        given_up,
        move |keeper, place, call, outlet| {
            let mut unsent = None;
            let checked = place.work(keeper, |database| {
                database.check(call, &mut |check, problems| {
                    // The first report is of what needs it.
                    writer = None;
                    for message in messages(check, problems) {
                        if let Err(why) = outlet.send(message) {
                            unsent = Some(why);
                            return ControlFlow::Break(());
                        }
                    }
                    ControlFlow::Continue(())
                })
            });
            match unsent {
                Some(unsent) => Err(Box::new(unsent.status(keeper))),
                None => checked,
            }
        },
    )
    .await
}

/// A check's report, each message of it within the limit of one.
fn messages(check: &str, problems: Vec<String>) -> Vec<CheckDatabaseResponse> {
    let message = || CheckDatabaseResponse {
        check: check.to_owned(),
        problems: Vec::new(),
    };
    let mut messages = vec![message()];
    let mut bytes = 0;
    for mut problem in problems {
        if problem.len() > CHUNK_LIMIT {
            // Characters, not bytes: none is cut in two.
            problem = problem.chars().take(CHUNK_LIMIT / 4).collect();
        }
        if bytes + problem.len() > CHUNK_LIMIT {
            messages.push(message());
            bytes = 0;
        }
        bytes += problem.len();
        let last = messages.last_mut().expect("there is one from the start");
        last.problems.push(problem);
    }
    messages
}

#[cfg(test)]
mod tests {
    use prost::Message as _;
    use vault_proto::MESSAGE_LIMIT;

    use super::*;

    #[test]
    fn no_report_is_over_the_limit_of_a_message() {
        assert_eq!(messages("pages", Vec::new()).len(), 1);
        let mut problems = vec!["x".repeat(10_000); 100];
        problems.push("ä".repeat(CHUNK_LIMIT));
        let messages = messages("pages", problems);
        assert!(messages.iter().all(|message| message.check == "pages"));
        assert!(
            messages
                .iter()
                .all(|message| message.encoded_len() <= MESSAGE_LIMIT)
        );
        let told: usize = messages.iter().map(|message| message.problems.len()).sum();
        assert_eq!(told, 101);
    }
}
