//! `vaultctl audit search`.

use std::time::SystemTime;

use vault_client::{AuditOutcome, AuditSearch, Client, Principal};

use super::print;
use crate::{context::Context, duration, failure::Failure};

#[derive(clap::Args, Debug)]
pub(crate) struct Search {
    /// Not before: a time such as 2026-01-31T08:00:00Z, or how long ago, such as 12h or 7d
    #[arg(long, value_name = "WHEN", value_parser = when)]
    since: Option<SystemTime>,
    /// Not after
    #[arg(long, value_name = "WHEN", value_parser = when)]
    until: Option<SystemTime>,
    /// Part of the method or word, such as Secrets/Get, Keys or sign-in
    #[arg(long, value_name = "TEXT", default_value = "")]
    action: String,
    /// How it came out
    #[arg(long, value_name = "OUTCOME", value_parser = outcome)]
    outcome: Option<AuditOutcome>,
    /// As what the caller counted: owner, token, session, loopback, open or nobody
    #[arg(long = "as", value_name = "KIND", value_parser = principal)]
    principal: Option<Principal>,
    /// A store, or a pattern such as chat/*
    #[arg(long, value_name = "STORE", default_value = "")]
    store: String,
    /// Part of an object's id, such as a secret's name
    #[arg(long, value_name = "TEXT", default_value = "")]
    object: String,
    /// Part of the caller's label, address, program or unit
    #[arg(long, value_name = "TEXT", default_value = "")]
    who: String,
    /// The caller's process
    #[arg(long, value_name = "PID")]
    pid: Option<i32>,
    /// At most so many, the newest
    #[arg(short = 'n', long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    limit: Option<u32>,
}

impl Search {
    pub(super) async fn run(self, context: &Context, client: &Client) -> Result<(), Failure> {
        let search = AuditSearch {
            since: self.since,
            until: self.until,
            action: self.action,
            outcome: self.outcome,
            principal: self.principal,
            store: self.store,
            object: self.object,
            who: self.who,
            pid: self.pid,
            newest: self.limit,
        };
        let records = client.audit_search(search).await?;
        print(context, records).await
    }
}

/// A time, or one so long ago.
fn when(text: &str) -> Result<SystemTime, String> {
    if let Ok(time) = text.parse::<jiff::Timestamp>() {
        return Ok(SystemTime::from(time));
    }
    let wrong = || format!("`{text}` is no time: write it like 2026-01-31T08:00:00Z, 12h or 7d");
    let ago = duration::parse(text).map_err(|_| wrong())?;
    SystemTime::now().checked_sub(ago).ok_or_else(wrong)
}

fn outcome(text: &str) -> Result<AuditOutcome, String> {
    let mut all = AuditOutcome::ALL.into_iter();
    let found = all.find(|outcome| outcome.as_str() == text);
    found.ok_or_else(|| "one of begun, done, refused, failed, cancelled".to_owned())
}

fn principal(text: &str) -> Result<Principal, String> {
    let mut all = Principal::ALL.into_iter();
    let found = all.find(|kind| kind.as_str() == text);
    found.ok_or_else(|| "one of owner, token, session, loopback, open, nobody".to_owned())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_time_is_given_as_such_or_as_how_long_ago() {
        let at = when("1970-01-01T00:00:07Z").expect("a time");
        assert_eq!(at, SystemTime::UNIX_EPOCH + Duration::from_secs(7));
        let hour = Duration::from_secs(3600);
        let ago = when("1h").expect("a time").elapsed().expect("past");
        assert!(ago >= hour && ago < 2 * hour, "{ago:?}");
        for bad in ["", "yesterday", "7", "2026-01-31"] {
            assert!(when(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn words_are_those_of_the_log() {
        assert_eq!(outcome("refused"), Ok(AuditOutcome::Refused));
        assert_eq!(principal("token"), Ok(Principal::Token));
        assert!(outcome("Refused").is_err() && principal("root").is_err());
    }
}
