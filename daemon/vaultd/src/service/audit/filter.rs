//! Which records a search wants.

use prost_types::Timestamp;
use tonic::Status;
use vault_auth::StorePattern;
use vault_proto::v1::{AuditOutcome, PrincipalKind, Reason, SearchAuditRequest};
use vault_store::audit::{Entry, Event, Outcome, Record};

use super::wire;
use crate::error::refusal;

/// What a record must fit. The default is fitted by all.
#[derive(Debug, Default)]
pub(super) struct Filter {
    since_ms: Option<i64>,
    until_ms: Option<i64>,
    event: EventFilter,
}

/// What an event must fit.
#[derive(Debug, Default)]
struct EventFilter {
    action: String,
    outcome: Option<Outcome>,
    principal: Option<PrincipalKind>,
    store: Option<StorePattern>,
    object: String,
    who: String,
    pid: Option<i32>,
}

impl Filter {
    /// Reads what a search asks for.
    pub(super) fn of(request: &SearchAuditRequest) -> Result<Self, Status> {
        let principal = match request.principal() {
            PrincipalKind::Unspecified => None,
            kind => Some(kind),
        };
        let store = match request.store_pattern.as_str() {
            "" => None,
            text => Some(StorePattern::parse(text).map_err(|error| malformed(&error.to_string()))?),
        };
        Ok(Self {
            since_ms: request.since.as_ref().map(milliseconds),
            until_ms: request.until.as_ref().map(milliseconds),
            event: EventFilter {
                action: request.action.clone(),
                outcome: outcome(request.outcome()),
                principal,
                store,
                object: request.object.clone(),
                who: request.who.clone(),
                pid: request.pid,
            },
        })
    }

    /// Whether a record fits.
    pub(super) fn fits(&self, record: &Record) -> bool {
        let at = record.entry.at_ms();
        let in_time = self.since_ms.is_none_or(|since| at >= since)
            && self.until_ms.is_none_or(|until| at <= until);
        in_time
            && match &record.entry {
                Entry::Event(event) => self.event.fits(event),
                // What the log says of itself fits where nothing is asked of events.
                _ => self.event.is_open(),
            }
    }
}

impl EventFilter {
    fn is_open(&self) -> bool {
        self.action.is_empty()
            && self.outcome.is_none()
            && self.principal.is_none()
            && self.store.is_none()
            && self.object.is_empty()
            && self.who.is_empty()
            && self.pid.is_none()
    }

    fn fits(&self, event: &Event) -> bool {
        let who = [
            &event.label,
            &event.address,
            &event.comm,
            &event.unit,
            &event.exe,
        ];
        event.action.contains(&self.action)
            && event.object.contains(&self.object)
            && who.iter().any(|who| who.contains(&self.who))
            && self.outcome.is_none_or(|wanted| event.outcome == wanted)
            && self.pid.is_none_or(|wanted| event.pid == Some(wanted))
            && self
                .principal
                .is_none_or(|wanted| wire::principal(&event.principal) == wanted)
            && self
                .store
                .as_ref()
                .is_none_or(|pattern| !event.store.is_empty() && pattern.covers(&event.store))
    }
}

fn outcome(outcome: AuditOutcome) -> Option<Outcome> {
    match outcome {
        AuditOutcome::Unspecified => None,
        AuditOutcome::Begun => Some(Outcome::Begun),
        AuditOutcome::Done => Some(Outcome::Done),
        AuditOutcome::Refused => Some(Outcome::Refused),
        AuditOutcome::Failed => Some(Outcome::Failed),
        AuditOutcome::Cancelled => Some(Outcome::Cancelled),
    }
}

fn milliseconds(time: &Timestamp) -> i64 {
    let seconds = time.seconds.saturating_mul(1000);
    seconds.saturating_add(i64::from(time.nanos / 1_000_000))
}

fn malformed(text: &str) -> Status {
    refusal(Reason::InvalidArgument, text, &[])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(change: impl FnOnce(&mut Event)) -> Record {
        let mut event = Event {
            at_ms: 5_000,
            action: "/vault.v1.Secrets/Get".into(),
            outcome: Outcome::Done,
            principal: "owner".into(),
            comm: "vaultctl".into(),
            pid: Some(7),
            object: "connection:openai".into(),
            ..Event::default()
        };
        change(&mut event);
        Record {
            sequence: 1,
            segment: 1,
            entry: Entry::Event(Box::new(event)),
        }
    }

    fn fits(request: &SearchAuditRequest, record: &Record) -> bool {
        Filter::of(request).expect("valid").fits(record)
    }

    type Change = fn(&mut SearchAuditRequest);

    #[test]
    fn every_part_of_a_search_counts() {
        let record = event(|_| {});
        let all = SearchAuditRequest::default();
        assert!(fits(&all, &record));
        let time = |seconds| Some(Timestamp { seconds, nanos: 0 });
        let changes: [(Change, bool); 12] = [
            (|request| request.action = "Secrets".into(), true),
            (|request| request.action = "Keys".into(), false),
            (|request| request.object = "openai".into(), true),
            (|request| request.object = "horde".into(), false),
            (|request| request.who = "vaultctl".into(), true),
            (|request| request.who = "node".into(), false),
            (|request| request.pid = Some(7), true),
            (|request| request.pid = Some(8), false),
            (|request| request.set_outcome(AuditOutcome::Done), true),
            (|request| request.set_outcome(AuditOutcome::Refused), false),
            (|request| request.set_principal(PrincipalKind::Owner), true),
            (|request| request.set_principal(PrincipalKind::Token), false),
        ];
        for (index, (change, expected)) in changes.into_iter().enumerate() {
            let mut request = all.clone();
            change(&mut request);
            assert_eq!(fits(&request, &record), expected, "{index}");
        }
        for (since, until, expected) in [
            (time(5), time(5), true),
            (time(6), None, false),
            (None, time(4), false),
        ] {
            let request = SearchAuditRequest {
                since,
                until,
                ..all.clone()
            };
            assert_eq!(fits(&request, &record), expected, "{request:?}");
        }
    }

    #[test]
    fn a_store_is_a_name_or_a_pattern() {
        let record = event(|event| event.store = "chat/conversations".into());
        for (store, expected) in [
            ("chat/*", true),
            ("chat/conversations", true),
            ("*", true),
            ("notes", false),
        ] {
            let request = SearchAuditRequest {
                store_pattern: store.into(),
                ..SearchAuditRequest::default()
            };
            assert_eq!(fits(&request, &record), expected, "{store}");
            assert!(!fits(&request, &event(|_| {})), "of no store");
        }
        let request = SearchAuditRequest {
            store_pattern: "chat/**".into(),
            ..SearchAuditRequest::default()
        };
        assert!(Filter::of(&request).is_err());
    }
}
