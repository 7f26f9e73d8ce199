//! Adds records, and begins segments.

use std::{
    collections::VecDeque,
    io::{self, Write as _},
};

use super::{
    Bounds, Entry, Gap, Head, PreviousEnd, SegmentStart,
    frame::{OVERHEAD, Place, encode},
};
use crate::{
    durable,
    error::{StoreError, StoreResult},
    fs::NewFile,
};

/// One segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Segment {
    pub(super) number: u64,
    /// The number of its first record; 0 where that cannot be told.
    pub(super) first: u64,
    /// Bytes of its records.
    pub(super) len: u64,
}

/// What may be done with the end of the newest segment.
pub(super) enum Tail {
    /// Records may be added through this file.
    Open(Box<dyn NewFile>),
    /// It ends with its last record, and is not open.
    Whole,
    /// No record may be added: another segment comes.
    Ended(Option<Gap>),
}

/// The end of the log.
pub(super) struct Writer {
    segments: VecDeque<Segment>,
    head: Head,
    /// The number of the next segment.
    next: u64,
    tail: Tail,
    closed: bool,
}

impl Writer {
    pub(super) fn new(segments: VecDeque<Segment>, head: Head, next: u64, tail: Tail) -> Self {
        Self {
            segments,
            head,
            next,
            tail,
            closed: false,
        }
    }

    pub(super) fn head(&self) -> Head {
        self.head
    }

    pub(super) fn segments(&self) -> &VecDeque<Segment> {
        &self.segments
    }

    pub(super) fn tail(&self) -> &Tail {
        &self.tail
    }

    /// First and last record, segments, bytes.
    pub(super) fn figures(&self) -> (u64, u64, u64, u64) {
        let bytes = self.segments.iter().map(|segment| segment.len).sum();
        let first = self.segments.front().map_or(0, |segment| segment.first);
        let count = self.segments.len() as u64;
        (first, self.head.sequence, count, bytes)
    }

    pub(super) fn close(&mut self) {
        self.closed = true;
        if matches!(self.tail, Tail::Open(_)) {
            self.tail = Tail::Whole;
        }
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed
    }

    /// The newest segment's file is about to be another one.
    pub(super) fn let_go(&mut self) {
        if matches!(self.tail, Tail::Open(_)) {
            self.tail = Tail::Whole;
        }
    }

    /// The oldest segment counts no more.
    pub(super) fn drop_oldest(&mut self) {
        self.segments.pop_front();
    }

    /// Durably adds records, all or none. `start` makes the record that begins a segment.
    pub(super) fn append(
        &mut self,
        place: &Place,
        bounds: &Bounds,
        start: &dyn Fn(Option<PreviousEnd>) -> SegmentStart,
        entries: &[Entry],
    ) -> StoreResult<Head> {
        if self.closed {
            return Err(StoreError::Closed);
        }
        let bodies = entries.iter().map(encode);
        let bodies = bodies.collect::<StoreResult<Vec<_>>>()?;
        let bytes: u64 = bodies.iter().map(|body| body.len() as u64 + OVERHEAD).sum();
        let last = self.segments.back();
        // One that holds nothing but its beginning takes anything.
        let room = last.is_some_and(|last| {
            last.first == self.head.sequence || last.len + bytes <= bounds.segment
        });
        match &self.tail {
            Tail::Open(_) if room => {}
            Tail::Whole if room => self.reopen(place)?,
            _ => {}
        }
        if !room || !matches!(self.tail, Tail::Open(_)) {
            self.begin_segment(place, start)?;
        }
        self.write(place, &bodies)
    }

    /// Opens the newest segment to add to it, unless somebody else changed its length: nothing of that
    /// is cut off.
    fn reopen(&mut self, place: &Place) -> StoreResult<()> {
        let Some(last) = self.segments.back() else {
            return Ok(());
        };
        let (fs, path) = (place.root.fs(), place.path(last.number));
        let failed = |error: io::Error| StoreError::io("open", &path, &error);
        let len = match fs.file_len(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            len => Some(len.map_err(failed)?),
        };
        self.tail = if len == Some(last.len) {
            Tail::Open(fs.append(&path, last.len).map_err(failed)?)
        } else {
            let behind = len.and_then(|len| len.checked_sub(last.len));
            Tail::Ended(behind.map(Gap::Unfinished))
        };
        Ok(())
    }

    /// Durably begins a segment, which says where the one before ends.
    fn begin_segment(
        &mut self,
        place: &Place,
        start: &dyn Fn(Option<PreviousEnd>) -> SegmentStart,
    ) -> StoreResult<()> {
        let gap = match &self.tail {
            Tail::Ended(gap) => *gap,
            Tail::Open(_) | Tail::Whole => None,
        };
        // First: once the new one may be on disk, nothing may count that is added to the old one.
        self.tail = Tail::Ended(gap);
        let number = self.next;
        let previous = self.segments.back().map(|last| PreviousEnd {
            number: last.number,
            end: last.len,
            gap,
        });
        let entry = Entry::Segment(SegmentStart {
            number,
            ..start(previous)
        });
        let (sealed, head) = place.seal(number, self.head, &encode(&entry)?)?;
        let (fs, folder, path) = (place.root.fs(), place.folder(), place.path(number));
        durable::ensure_dir(fs, &folder)?;
        if self.segments.is_empty() {
            durable::sync_dir(fs, place.root.path())?;
        }
        durable::stage(fs, &folder, &[&sealed])?.rename(&path)?;
        durable::sync_dir(fs, &folder)?;
        let len = sealed.len() as u64;
        let file = fs.append(&path, len);
        let file = file.map_err(|error| StoreError::io("open", &path, &error))?;
        self.segments.push_back(Segment {
            number,
            first: head.sequence,
            len,
        });
        (self.next, self.head, self.tail) = (number + 1, head, Tail::Open(file));
        Ok(())
    }

    fn write(&mut self, place: &Place, bodies: &[Vec<u8>]) -> StoreResult<Head> {
        let (Tail::Open(file), Some(last)) = (&mut self.tail, self.segments.back_mut()) else {
            return Err(StoreError::Closed);
        };
        let (mut bytes, mut head) = (Vec::new(), self.head);
        for body in bodies {
            let (sealed, next) = place.seal(last.number, head, body)?;
            bytes.extend_from_slice(&sealed);
            head = next;
        }
        let written = file
            .write_all(&bytes)
            .map_err(|error| ("write", error))
            .and_then(|()| file.sync().map_err(|error| ("sync", error)));
        if let Err((operation, error)) = written {
            let path = place.path(last.number);
            // What is on disk of it, nobody knows: the next segment says that it does not count.
            self.tail = Tail::Ended(Some(Gap::Failed));
            return Err(StoreError::io(operation, &path, &error));
        }
        last.len += bytes.len() as u64;
        self.head = head;
        Ok(head)
    }
}
