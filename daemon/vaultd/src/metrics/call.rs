//! A call under way.

use std::{error::Error as _, sync::Arc, time::Instant};

use http::{HeaderMap, Response};
use tonic::{Code, Status};
use tonic_types::StatusExt as _;
use vault_proto::v1::Reason;

use super::{Method, Metrics};

/// What tonic answers where a call ends, or is taken back, before its message has come.
const NO_MESSAGE: &str = "Missing request message.";

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// As it should.
    Ok,
    /// With this reason; with none, `Unspecified`.
    Failed(Reason),
}

impl Outcome {
    /// What an answer says before its body comes; nothing yet where that tells.
    pub(super) fn of_response<B>(response: &Response<B>) -> Option<Self> {
        match response.extensions().get::<Status>() {
            Some(status) => Some(Self::of_status(status)),
            None => Self::of_headers(response.headers()),
        }
    }

    /// What headers or trailers say.
    pub(super) fn of_headers(headers: &HeaderMap) -> Option<Self> {
        let said = headers.contains_key("grpc-status");
        let status = said.then(|| Status::from_header_map(headers)).flatten()?;
        Some(Self::of_status(&status))
    }

    /// What a status means.
    pub(super) fn of_status(status: &Status) -> Self {
        if status.code() == Code::Ok {
            return Self::Ok;
        }
        let details = status.get_error_details();
        let reason = details
            .error_info()
            .and_then(|info| Reason::from_wire_name(&info.reason));
        Self::Failed(reason.unwrap_or(match status.code() {
            Code::Cancelled => Reason::Cancelled,
            Code::DeadlineExceeded => Reason::TimedOut,
            // The transport's own words: the peer took the call back, or broke off amid its message.
            Code::Unknown if status.source().is_some() => Reason::Cancelled,
            Code::Internal if status.message() == NO_MESSAGE => Reason::Cancelled,
            _ => Reason::Unspecified,
        }))
    }
}

/// A call under way. Counted when it is dropped: as cancelled, where nobody said how it ended.
#[derive(Debug)]
pub struct Call {
    metrics: Arc<Metrics>,
    place: usize,
    begun: Instant,
    outcome: Outcome,
}

impl Call {
    pub(super) fn begin(metrics: Arc<Metrics>, place: usize) -> Self {
        let call = Self {
            metrics,
            place,
            begun: Instant::now(),
            outcome: Outcome::Failed(Reason::Cancelled),
        };
        call.metrics.in_progress(call.method()).rise();
        call
    }

    fn method(&self) -> &Method {
        &self.metrics.methods[self.place]
    }

    /// Whether its method streams.
    pub(super) fn streams(&self) -> bool {
        self.method().streams()
    }

    /// It ended so.
    pub fn end(mut self, outcome: Outcome) {
        self.outcome = outcome;
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        let micros = self.begun.elapsed().as_micros();
        let micros = u64::try_from(micros).unwrap_or(u64::MAX);
        self.method().count(self.outcome, micros);
        self.metrics.in_progress(self.method()).fall();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::refusal;

    #[test]
    fn an_outcome_is_read_from_wherever_it_stands() {
        let refused = || refusal(Reason::NotFound, "there is none", &[]);
        let expected = Some(Outcome::Failed(Reason::NotFound));
        let mut response = refused().into_http::<()>();
        assert_eq!(Outcome::of_response(&response), expected);
        response.extensions_mut().clear();
        assert_eq!(Outcome::of_response(&response), expected);
        assert_eq!(Outcome::of_response(&Response::new(())), None);
    }

    #[test]
    fn failures_without_a_reason_have_that_of_their_code_or_none() {
        for (status, expected) in [
            (Status::ok(""), Outcome::Ok),
            (Status::cancelled(""), Outcome::Failed(Reason::Cancelled)),
            (
                Status::deadline_exceeded(""),
                Outcome::Failed(Reason::TimedOut),
            ),
            (Status::unknown(""), Outcome::Failed(Reason::Unspecified)),
            (Status::internal(""), Outcome::Failed(Reason::Unspecified)),
            (
                Status::from_error("the stream was reset".into()),
                Outcome::Failed(Reason::Cancelled),
            ),
        ] {
            assert_eq!(Outcome::of_status(&status), expected, "{status:?}");
        }
    }
}
