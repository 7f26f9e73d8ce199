//! Records one page after the other, each read when the one before has found room on its way.

use std::{collections::VecDeque, ops::ControlFlow, sync::Arc};

use prost::Message as _;
use vault_proto::{
    CHUNK_LIMIT,
    v1::{AuditRecord, AuditRecords},
};
use vault_store::{StoreResult, audit::AuditLog};

use super::{filter::Filter, wire};

/// Records that are looked at for one page, at most: a search for few of them takes its turns, too.
const LOOKED_AT: usize = 8192;

/// Where a reading stands.
pub(super) struct Pages {
    log: Arc<AuditLog>,
    after: u64,
    filter: Filter,
    /// How many more are wanted.
    left: usize,
    at_end: bool,
    /// Those that are given first.
    ready: VecDeque<AuditRecord>,
}

impl Pages {
    /// What fits of the records after number `after`.
    pub(super) fn new(log: Arc<AuditLog>, after: u64, filter: Filter) -> Self {
        Self {
            log,
            after,
            filter,
            left: usize::MAX,
            at_end: false,
            ready: VecDeque::new(),
        }
    }

    /// No more than so many.
    pub(super) fn limit(&mut self, limit: usize) {
        self.left = limit;
    }

    /// Whether there are no more at the moment.
    pub(super) fn at_end(&self) -> bool {
        self.at_end && self.ready.is_empty()
    }

    /// The next page, below the limit of a message. It may be empty before the end.
    pub(super) fn next(&mut self) -> StoreResult<AuditRecords> {
        let mut page = AuditRecords::default();
        let mut bytes = 0;
        while bytes < CHUNK_LIMIT
            && let Some(record) = self.ready.pop_front()
        {
            bytes += record.encoded_len();
            page.records.push(record);
        }
        if !page.records.is_empty() || self.left == 0 {
            self.at_end |= self.left == 0;
            return Ok(page);
        }
        let (mut looked_at, mut full) = (0, false);
        let (filter, left) = (&self.filter, &mut self.left);
        let reading = self.log.read_after(self.after, &mut |record| {
            looked_at += 1;
            if filter.fits(&record) {
                let record = wire::record(record);
                bytes += record.encoded_len();
                page.records.push(record);
                *left = left.saturating_sub(1);
            }
            full = bytes >= CHUNK_LIMIT || looked_at >= LOOKED_AT || *left == 0;
            if full {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        })?;
        self.after = reading.last;
        page.unreadable = reading.unreadable;
        self.at_end = !full || self.left == 0;
        Ok(page)
    }
}

/// The newest records that fit.
pub(super) struct Newest {
    limit: usize,
    records: VecDeque<AuditRecord>,
}

impl Newest {
    /// At most so many of them.
    pub(super) fn new(limit: usize) -> Self {
        Self {
            limit,
            records: VecDeque::new(),
        }
    }

    /// Reads them all, and gives the last.
    pub(super) fn read(mut self, mut pages: Pages) -> StoreResult<Pages> {
        while !pages.at_end() {
            for record in pages.next()?.records {
                if self.records.len() == self.limit {
                    self.records.pop_front();
                }
                self.records.push_back(record);
            }
        }
        pages.ready = self.records;
        pages.left = 0;
        Ok(pages)
    }
}
