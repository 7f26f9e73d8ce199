//! Rows of an answer, as messages: as many rows to a message as travel fast, long values in chunks.

use std::{
    ops::ControlFlow,
    time::{Duration, Instant},
};

use vault_proto::{
    CHUNK_LIMIT, Rows as Page, ValueRef as Wire,
    v1::{self, QueryEnd, QueryResponse},
};
use vault_store::{
    StoreError,
    databases::{Column, Executed, RowSink, ValueRef},
};

use super::{
    outlet::{Outlet, Unsent},
    values,
};

/// Bytes of rows after which a message is sent.
const MESSAGE: usize = 96 << 10;
/// Bytes by which the last row of most messages goes beyond that.
const SPARE: usize = 4 << 10;
/// Values above this go in chunks, in bytes.
const LONG: usize = 64 << 10;
/// Bytes of one row that go with it. Whatever does not fit goes in chunks, too, so that no row is
/// above the limit of a message.
const WHOLE_ROW: usize = 512 << 10;
/// Bytes of a value that cost more to announce than to send.
const SHORT: usize = 64;
/// Bytes that a value, a row or a column takes on the wire besides its content.
const FRAME: usize = 12;
/// Bytes of all columns' names and types.
const COLUMNS: usize = 512 << 10;

/// Values of a row that need no memory of their own.
const FEW: usize = 16;

/// Adds a row to a page, each of its values by `wire`, in their order.
pub(super) fn push<'a>(
    page: &mut Page,
    values: &[ValueRef<'a>],
    mut wire: impl FnMut(ValueRef<'a>) -> Wire<'a>,
) {
    let mut few = [Wire::Null; FEW];
    if let Some(few) = few.get_mut(..values.len()) {
        for (place, value) in few.iter_mut().zip(values) {
            *place = wire(*value);
        }
        page.push(few);
    } else {
        let many: Vec<_> = values.iter().map(|value| wire(*value)).collect();
        page.push(&many);
    }
}

/// Why no more rows were taken.
#[derive(Clone, Debug)]
pub(super) enum Failure {
    /// A message could not be sent.
    Unsent(Unsent),
    /// They are not to be sent.
    Refused(StoreError),
}

/// Makes messages of rows and sends them.
pub(super) struct Rows<'a, M> {
    outlet: &'a Outlet<M>,
    wrap: fn(QueryResponse) -> M,
    pending: QueryResponse,
    bytes: usize,
    count: u64,
    waited: Duration,
    failure: Option<Failure>,
}

impl<'a, M> Rows<'a, M> {
    /// Rows that go to `outlet`, each message within one of its kind.
    pub(super) fn new(outlet: &'a Outlet<M>, wrap: fn(QueryResponse) -> M) -> Self {
        Self {
            outlet,
            wrap,
            pending: QueryResponse::default(),
            bytes: 0,
            count: 0,
            waited: Duration::ZERO,
            failure: None,
        }
    }

    /// Sends the rest, and what the statement did.
    pub(super) fn finish(mut self, executed: Executed) -> Result<(), Unsent> {
        self.pending.end = Some(QueryEnd {
            rows: self.count,
            changes: executed.changes,
            last_insert_rowid: executed.last_insert_rowid,
        });
        self.send()
    }

    /// Why it took no more rows, where it did not.
    pub(super) fn failure(&mut self) -> Option<Failure> {
        self.failure.take()
    }

    fn send(&mut self) -> Result<(), Unsent> {
        let next = QueryResponse {
            rows: Page::with_capacity(MESSAGE + SPARE),
            ..QueryResponse::default()
        };
        self.bytes = 0;
        let message = std::mem::replace(&mut self.pending, next);
        self.outlet.send((self.wrap)(message))
    }

    fn send_chunks(&self, bytes: &[u8]) -> Result<(), Unsent> {
        for chunk in bytes.chunks(CHUNK_LIMIT) {
            self.outlet.send((self.wrap)(QueryResponse {
                chunk: chunk.to_vec(),
                ..QueryResponse::default()
            }))?;
        }
        Ok(())
    }

    fn add(&mut self, values: &[ValueRef<'_>]) -> Result<(), Unsent> {
        let bytes = &mut self.bytes;
        let before = *bytes;
        let mut long = Vec::new();
        push(&mut self.pending.rows, values, |value| {
            let content = content(value);
            *bytes += FRAME;
            let whole = content.len() <= LONG && *bytes - before + content.len() <= WHOLE_ROW;
            if whole || content.len() <= SHORT {
                *bytes += content.len();
                values::wire(value)
            } else {
                long.push(content);
                values::announced(value)
            }
        });
        self.bytes += FRAME;
        self.count += 1;
        if self.bytes < MESSAGE && long.is_empty() {
            return Ok(());
        }
        let begun = Instant::now();
        let sent = self.send();
        let sent = sent.and_then(|()| {
            let mut long = long.into_iter();
            long.try_for_each(|bytes| self.send_chunks(bytes))
        });
        self.waited = begun.elapsed();
        sent
    }

    fn go_on(&mut self, sent: Result<(), Unsent>) -> ControlFlow<()> {
        match sent {
            Ok(()) => ControlFlow::Continue(()),
            Err(unsent) => {
                self.failure = Some(Failure::Unsent(unsent));
                ControlFlow::Break(())
            }
        }
    }
}

/// The bytes of a value whose size is its own.
fn content(value: ValueRef<'_>) -> &[u8] {
    match value {
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => bytes,
        ValueRef::Null | ValueRef::Integer(_) | ValueRef::Real(_) => &[],
    }
}

impl<M> RowSink for Rows<'_, M> {
    fn columns(&mut self, columns: Vec<Column>) -> ControlFlow<()> {
        let size = |column: &Column| column.name.len() + column.declared_type.len() + FRAME;
        let size: usize = columns.iter().map(size).sum();
        if size > COLUMNS {
            let (size, limit) = (size as u64, COLUMNS as u64);
            self.failure = Some(Failure::Refused(StoreError::TooLarge { size, limit }));
            return ControlFlow::Break(());
        }
        self.bytes += size;
        let columns = columns.into_iter().map(|column| v1::Column {
            name: column.name,
            declared_type: column.declared_type,
        });
        self.pending.columns = columns.collect();
        ControlFlow::Continue(())
    }

    fn row(&mut self, values: &[ValueRef<'_>]) -> ControlFlow<()> {
        let sent = self.add(values);
        self.go_on(sent)
    }

    fn waited(&mut self) -> Duration {
        std::mem::take(&mut self.waited)
    }
}
