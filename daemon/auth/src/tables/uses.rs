//! Times of use, which change in memory while a change of the rows is on its way to the disk.

use std::sync::Arc;

use super::rows::Rows;

impl Rows {
    /// Takes over what `held` knows of later uses.
    pub(super) fn take_uses(&mut self, held: &Self) {
        for (id, session) in &mut self.sessions {
            let used = held.sessions.get(id);
            if let Some(used) = used.filter(|used| used.last_used_ms > session.last_used_ms) {
                let session = Arc::make_mut(session);
                session.last_used_ms = used.last_used_ms;
                session.address.clone_from(&used.address);
            }
        }
        for (id, token) in &mut self.tokens {
            let used = held.tokens.get(id).map(|used| used.row.last_used_ms);
            if let Some(used) = used.filter(|used| *used > token.row.last_used_ms) {
                Arc::make_mut(&mut token.row).last_used_ms = used;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{RpId, Session, Token, tables::rows::HeldToken};

    const NOW: i64 = 1_700_000_000_000;
    const LATER: i64 = NOW + 60_000;

    fn rows() -> Rows {
        let mut rows = Rows::new().expect("rows");
        let session = Session {
            id: "s".to_owned(),
            secret_hash: [7; 32],
            rp_id: RpId::parse("localhost").expect("a relying party"),
            passkey_id: "a".to_owned(),
            label: "Firefox on Linux".to_owned(),
            address: "127.0.0.1".to_owned(),
            created_ms: NOW,
            last_used_ms: NOW,
        };
        let token = Token {
            id: "t".to_owned(),
            hash: [9; 32],
            label: "backup".to_owned(),
            scopes: Vec::new(),
            created_ms: NOW,
            last_used_ms: None,
            expires_ms: None,
        };
        rows.sessions.insert("s".to_owned(), Arc::new(session));
        rows.tokens.insert("t".to_owned(), HeldToken::new(token));
        rows
    }

    fn used_at(rows: &Rows) -> (i64, &str, Option<i64>) {
        let (session, token) = (&rows.sessions["s"], &rows.tokens["t"]);
        let last_used_ms = token.row.last_used_ms;
        (session.last_used_ms, &session.address, last_used_ms)
    }

    #[test]
    fn a_use_during_a_change_is_not_lost_and_an_older_one_replaces_nothing() {
        let (before, mut held) = (rows(), rows());
        let session = Arc::make_mut(held.sessions.get_mut("s").expect("a session"));
        (session.last_used_ms, session.address) = (LATER, "192.0.2.1".to_owned());
        let token = &mut held.tokens.get_mut("t").expect("a token").row;
        Arc::make_mut(token).last_used_ms = Some(LATER);

        let mut changed = before.clone();
        changed.take_uses(&held);
        let used = (LATER, "192.0.2.1", Some(LATER));
        assert_eq!(used_at(&changed), used);
        changed.take_uses(&before);
        assert_eq!(used_at(&changed), used);
    }
}
