//! Group commit: concurrent writers share syncs.
//!
//! A writer puts its ticket in the queue. If nobody is committing, it becomes the leader, takes
//! all tickets there are, commits them together and hands out the outcomes; the others wait. A
//! group of one write goes straight into its own file by the durable file protocol. A larger group
//! becomes one journal, durable as a whole, whose records move into files of their own afterwards.

use std::{
    collections::HashMap,
    sync::{Arc, Condvar, Mutex},
};

use vault_crypto::{KeyId, ObjectName};

use super::{
    Inner,
    doubt::Unsettled,
    index::{Location, Slot},
    journal,
    medium::Encoded,
    metadata::{Head, Metadata},
    write::{Change, Outcome, Write},
};
use crate::{
    durable,
    error::{StoreError, StoreResult},
    id::{DocumentId, Revision},
    vault::lock,
};

type Answer = StoreResult<Vec<Outcome>>;

/// Writes of one caller: all or none.
struct Ticket {
    writes: Vec<Write>,
    answer: Arc<Mutex<Option<Answer>>>,
}

impl Drop for Ticket {
    /// A ticket that a panicking leader took along is answered all the same.
    fn drop(&mut self) {
        lock(&self.answer).get_or_insert(Err(StoreError::Closed));
    }
}

impl Ticket {
    fn answer(&self, answer: Answer) {
        *lock(&self.answer) = Some(answer);
    }
}

/// Tickets that wait, and whether someone is committing.
#[derive(Default)]
pub(crate) struct Queue {
    state: Mutex<QueueState>,
    changed: Condvar,
}

#[derive(Default)]
struct QueueState {
    tickets: Vec<Ticket>,
    has_leader: bool,
}

/// Tickets whose revisions count on without a gap, as those of one journal must.
#[derive(Default)]
struct Run {
    prepared: Vec<Prepared>,
    accepted: Vec<(Ticket, Vec<Outcome>)>,
}

/// A write that is ready to be made durable.
pub(super) struct Prepared {
    pub(super) name: ObjectName,
    pub(super) head: Arc<Head>,
    pub(super) record: Vec<u8>,
    pub(super) key_id: Option<KeyId>,
}

impl Inner {
    /// Durably makes all of `writes`, or none. Blocks until the disk has answered.
    pub(crate) fn commit(&self, writes: Vec<Write>) -> Answer {
        let mut answers = self.commit_each(vec![writes]);
        answers.pop().expect("one ticket, one answer")
    }

    /// Commits several callers' worth of writes in one group: of each, all or none.
    pub(crate) fn commit_each(&self, tickets: Vec<Vec<Write>>) -> Vec<Answer> {
        let answers: Vec<_> = tickets.iter().map(|_| Arc::new(Mutex::new(None))).collect();
        let mut queue = lock(&self.queue.state);
        for (writes, answer) in tickets.into_iter().zip(&answers) {
            queue.tickets.push(Ticket {
                writes,
                answer: Arc::clone(answer),
            });
        }
        while answers.iter().any(|answer| lock(answer).is_none()) {
            if queue.has_leader {
                queue = self
                    .queue
                    .changed
                    .wait(queue)
                    .unwrap_or_else(std::sync::PoisonError::into_inner);
                continue;
            }
            queue.has_leader = true;
            let group = std::mem::take(&mut queue.tickets);
            drop(queue);
            // Should a defect panic in here, the others must not wait for ever.
            let leadership = Leadership(&self.queue);
            self.commit_group(group);
            drop(leadership);
            queue = lock(&self.queue.state);
        }
        drop(queue);
        let take = |answer: &Arc<Mutex<Option<Answer>>>| {
            lock(answer).take().unwrap_or(Err(StoreError::Closed))
        };
        answers.iter().map(take).collect()
    }

    fn commit_group(&self, group: Vec<Ticket>) {
        let mut unsettled = lock(&self.commit);
        if let Err(error) = self.check_open().and_then(|()| self.settle(&mut unsettled)) {
            return answer_all(&group, &error);
        }

        let mut revision = self.index().last;
        let mut overlay = HashMap::new();
        let mut runs = vec![Run::default()];
        for ticket in group {
            let expected = revision.next();
            let mut ready = Vec::new();
            match self.prepare(&ticket.writes, &mut revision, &mut overlay, &mut ready) {
                Ok(outcomes) => {
                    let gap = ready
                        .first()
                        .is_some_and(|first: &Prepared| first.head.revision != expected);
                    if gap {
                        runs.push(Run::default());
                    }
                    let run = runs.last_mut().expect("there is one from the start");
                    run.prepared.append(&mut ready);
                    run.accepted.push((ticket, outcomes));
                }
                Err(error) => ticket.answer(Err(error)),
            }
        }
        // Before anything is written: what may reach the disk under these revisions must never be
        // taken for a later write.
        self.index_mut().last = revision;
        let mut failed = None;
        for run in runs {
            let Run { prepared, accepted } = run;
            // What was prepared after a run counts on that run.
            let made = if let Some(error) = &failed {
                Err(StoreError::clone(error))
            } else {
                self.preserve(&prepared);
                self.make_durable(&prepared, &mut unsettled)
            };
            match made {
                Ok(locations) => {
                    self.publish(prepared, locations);
                    for (ticket, outcomes) in accepted {
                        ticket.answer(Ok(outcomes));
                    }
                }
                Err(error) => {
                    for (ticket, _) in accepted {
                        ticket.answer(Err(error.clone()));
                    }
                    failed = Some(error);
                }
            }
        }
    }

    /// Makes writes of consecutive revisions durable, all or none; tells where each came to lie.
    pub(super) fn make_durable(
        &self,
        prepared: &[Prepared],
        unsettled: &mut Unsettled,
    ) -> StoreResult<Vec<Location>> {
        match prepared {
            [] => Ok(Vec::new()),
            [one] if !self.medium.is_plain() => self
                .write_object(one, unsettled)
                .map(|()| vec![Location::Object]),
            many => self.write_journal(many, unsettled),
        }
    }

    /// Checks the writes of one ticket and seals them. Leaves no trace where one does not hold.
    fn prepare(
        &self,
        writes: &[Write],
        revision: &mut Revision,
        overlay: &mut HashMap<ObjectName, Arc<Head>>,
        prepared: &mut Vec<Prepared>,
    ) -> StoreResult<Vec<Outcome>> {
        let mut next = *revision;
        let mut own: HashMap<ObjectName, Arc<Head>> = HashMap::new();
        let mut ready = Vec::with_capacity(writes.len());
        let mut outcomes = Vec::with_capacity(writes.len());
        let now = self.context.clock.now_ms();
        for write in writes {
            let name = self.medium.object_name(&write.id);
            let known = match own.get(&name).or_else(|| overlay.get(&name)) {
                Some(head) => Some(Arc::clone(head)),
                None => self
                    .current(&name)
                    .map_err(|error| self.name_damage(&write.id, &error))?,
            };
            let live = known.as_deref().filter(|head| !head.is_deleted());
            write
                .precondition
                .check(&write.id, live.map(|head| head.revision))?;
            let (metadata, body): (_, &[u8]) = match &write.change {
                Change::Delete if live.is_none() => return Err(self.no_such(&write.id)),
                Change::Delete => (tombstone(&write.id, live, now), &[]),
                Change::Put(content) | Change::PutIfChanged(content) => {
                    let named = write.change.named(None);
                    let metadata = content.describe(&write.id, &named, live, now);
                    (metadata, &content.body)
                }
                Change::Restore(restored) | Change::RestoreIfChanged(restored) => {
                    let named = write.change.named(None);
                    (restored.describe(&write.id, &named), &restored.body)
                }
            };
            if matches!(
                write.change,
                Change::PutIfChanged(_) | Change::RestoreIfChanged(_)
            ) && let Some(head) = known.as_ref().filter(|head| same(head, &metadata))
            {
                outcomes.push(Outcome::Unchanged(Arc::clone(head)));
                continue;
            }
            next = match write.change.wanted_revision() {
                // Of the first alone: a ticket goes into one journal, whose revisions count on.
                Some(wanted) if ready.is_empty() => wanted.max(next.next()),
                _ => next.next(),
            };
            let Encoded { record, key_id } = self.medium.encode(&name, next, &metadata, body)?;
            let head = Arc::new(Head {
                id: write.id.clone(),
                revision: next,
                metadata,
                stored_bytes: record.len() as u64,
                awaiting_migration: false,
            });
            own.insert(name, Arc::clone(&head));
            outcomes.push(Outcome::Written(Arc::clone(&head)));
            ready.push(Prepared {
                name,
                head,
                record,
                key_id,
            });
        }
        *revision = next;
        overlay.extend(own);
        prepared.append(&mut ready);
        Ok(outcomes)
    }

    /// The head in force, tombstones included; a damaged object is never overwritten unasked.
    fn current(&self, name: &ObjectName) -> StoreResult<Option<Arc<Head>>> {
        match self.damage(name) {
            Some(error) => Err(error),
            None => Ok(self.index().get(name).map(|slot| Arc::clone(&slot.head))),
        }
    }

    fn write_object(&self, one: &Prepared, unsettled: &mut Unsettled) -> StoreResult<()> {
        let staged = durable::stage(
            self.context.root.fs(),
            &self.folders.objects,
            &[&one.record],
        )?;
        self.rename_object(unsettled, staged, &one.name)
            .and_then(|()| self.sync_objects(unsettled))
            // The new file may be in place, and may or may not stay there.
            .inspect_err(|_| self.reload(&one.name))
    }

    fn write_journal(
        &self,
        many: &[Prepared],
        unsettled: &mut Unsettled,
    ) -> StoreResult<Vec<Location>> {
        let records: Vec<(ObjectName, &[u8])> = many
            .iter()
            .map(|one| (one.name, one.record.as_slice()))
            .collect();
        // Named by its first revision, which no other journal can have.
        let number = many[0].head.revision.0;
        let fs = self.context.root.fs();
        let entries = journal::write(fs, &self.folders.journal, number, &records)
            .inspect_err(|_| unsettled.doubt_journal(number))?;
        lock(&self.journals).insert(number, entries.clone());
        let locate = |entry: journal::Entry| Location::Journal {
            journal: number,
            offset: entry.offset,
            len: entry.len,
        };
        Ok(entries.into_iter().map(locate).collect())
    }

    /// Makes durable writes visible: to readers, then to watchers.
    pub(super) fn publish(&self, prepared: Vec<Prepared>, locations: Vec<Location>) {
        if prepared.is_empty() {
            return;
        }
        let mut superseded = Vec::new();
        let last = {
            let mut index = self.index_mut();
            for (one, location) in prepared.into_iter().zip(locations) {
                if index
                    .get(&one.name)
                    .is_some_and(|slot| slot.location == Location::Adopted)
                {
                    superseded.push(one.head.id.clone());
                }
                index.insert(
                    one.name,
                    Slot {
                        head: one.head,
                        location,
                        key_id: one.key_id,
                    },
                );
            }
            index.last
        };
        for id in superseded {
            self.drop_adopted(&id);
        }
        self.announce(last);
    }
}

struct Leadership<'a>(&'a Queue);

impl Drop for Leadership<'_> {
    fn drop(&mut self) {
        lock(&self.0.state).has_leader = false;
        self.0.changed.notify_all();
    }
}

fn answer_all(group: &[Ticket], error: &StoreError) {
    for ticket in group {
        ticket.answer(Err(error.clone()));
    }
}

pub(super) fn tombstone(id: &DocumentId, old: Option<&Head>, now: i64) -> Metadata {
    Metadata {
        id: id.as_str().to_owned(),
        content_type: String::new(),
        size: 0,
        sha256: String::new(),
        created: old.map_or(now, |head| head.metadata.created),
        modified: now,
        labels: std::collections::BTreeMap::new(),
        refs: Vec::new(),
        refs_in_body: false,
        deleted: true,
        other: serde_json::Map::new(),
    }
}

fn same(head: &Head, new: &Metadata) -> bool {
    let old = &head.metadata;
    // A file that awaits migration is sealed by whoever writes it, even unchanged.
    !old.deleted
        && !head.awaiting_migration
        && old.sha256 == new.sha256
        && old.content_type == new.content_type
        && old.labels == new.labels
}
