//! Finds the end of a log that was written by an earlier process.

use std::collections::VecDeque;

use vault_crypto::ChainHash;

use super::{
    Anchored, AuditAnchor, Gap, Head, PreviousEnd, SegmentStart,
    frame::Place,
    walk,
    writer::{Segment, Tail, Writer},
};
use crate::{
    durable,
    error::{StoreError, StoreResult},
};

/// A log as it was found.
pub(super) struct Found {
    pub(super) writer: Writer,
    /// Whether the keyring held an anchor of it, as far as the log knows.
    pub(super) anchored: bool,
}

/// The end of a segment.
struct End {
    segment: Segment,
    start: SegmentStart,
    head: Head,
    tail: Tail,
}

/// Finds the newest record. Whatever cannot be read is left as it is and passed over: the next record
/// begins a segment behind all of it, and a verification tells.
pub(super) fn open(place: &Place, anchor: &dyn AuditAnchor) -> StoreResult<Found> {
    durable::sweep(place.root.fs(), &place.folder());
    let numbers = place.segments()?;
    let Some(newest) = numbers.last() else {
        let (hash, anchored) = beginning(anchor)?;
        let head = Head { sequence: 0, hash };
        let writer = Writer::new(VecDeque::new(), head, 1, Tail::Ended(None));
        return Ok(Found { writer, anchored });
    };
    let next = newest + 1;
    for (index, number) in numbers.iter().enumerate().rev() {
        let Some(end) = end_of(place, *number)? else {
            continue;
        };
        let mut segments = earlier(place, &numbers[..index], end.start.previous)?;
        segments.push_back(end.segment);
        // Behind what is passed over.
        let tail = if end.segment.number == *newest {
            end.tail
        } else {
            Tail::Ended(None)
        };
        return Ok(Found {
            writer: Writer::new(segments, end.head, next, tail),
            anchored: end.start.anchored,
        });
    }
    let head = Head {
        sequence: 0,
        hash: ChainHash::begin()?,
    };
    Ok(Found {
        writer: Writer::new(VecDeque::new(), head, next, Tail::Ended(None)),
        anchored: false,
    })
}

/// What a new chain begins with, and whether the keyring remembers that. Before there is a record: where
/// the keyring remembers nothing later, that has been lost.
fn beginning(anchor: &dyn AuditAnchor) -> StoreResult<(ChainHash, bool)> {
    if !anchor.is_kept() {
        return Ok((ChainHash::begin()?, false));
    }
    match anchor.load() {
        // A crash came before the first record.
        Ok(Some(anchored)) if anchored.sequence == 0 => Ok((anchored.hash, true)),
        Ok(Some(_)) => Ok((ChainHash::begin()?, true)),
        Ok(None) => {
            let hash = ChainHash::begin()?;
            let saved = anchor.save(&Anchored {
                sequence: 0,
                hash,
                first_segment: 1,
                at_ms: 0,
            });
            Ok((hash, saved.is_ok()))
        }
        Err(_) => Ok((ChainHash::begin()?, false)),
    }
}

/// The end of a segment; `None` where nothing of it counts.
fn end_of(place: &Place, number: u64) -> StoreResult<Option<End>> {
    let bytes = match place.read(number) {
        Err(StoreError::Damaged { .. }) => return Ok(None),
        bytes => bytes?,
    };
    let (start, first) = match place.start_of(number, &bytes) {
        Err(StoreError::Damaged { .. }) => return Ok(None),
        start => start?,
    };
    let spans: Vec<_> = walk::run(&bytes).collect();
    // The last that can be opened: those between are for a verification to look at.
    let last = spans.iter().rev().find_map(|span| {
        let opened = place.open(number, span.of(&bytes)).ok()?;
        Some((span.end, opened.head()))
    });
    let Some((end, head)) = last else {
        return Ok(None);
    };
    let behind = (bytes.len() - end) as u64;
    Ok(Some(End {
        segment: Segment {
            number,
            first,
            len: end as u64,
        },
        head,
        tail: if behind == 0 {
            Tail::Whole
        } else {
            Tail::Ended(Some(Gap::Unfinished(behind)))
        },
        start,
    }))
}

/// The segments before the one that says of the last of them where it ends.
fn earlier(
    place: &Place,
    numbers: &[u64],
    mut previous: Option<PreviousEnd>,
) -> StoreResult<VecDeque<Segment>> {
    let mut segments = VecDeque::new();
    for number in numbers.iter().rev() {
        let said = previous.filter(|previous| previous.number == *number);
        let (start, first) = match place.read_start(*number) {
            Ok((start, first)) => (Some(start), first),
            Err(StoreError::Damaged { .. }) => (None, 0),
            Err(error) => return Err(error),
        };
        let len = match said {
            Some(said) => said.end,
            None => place.len(*number)?,
        };
        segments.push_front(Segment {
            number: *number,
            first,
            len,
        });
        previous = start.and_then(|start| start.previous);
    }
    Ok(segments)
}
