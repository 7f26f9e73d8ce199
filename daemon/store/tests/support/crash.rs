//! Every state in which a crash may legally leave a disk.
//!
//! Content that was synced stays; what was written since may be gone, torn, or zeros. An entry
//! (created, renamed, removed) whose directory was synced stays; each of the others may be lost or
//! kept on its own. A rename is one entry operation. What was pending when a sync failed may be
//! lost even after a later sync succeeds, until it is done anew.

use std::{
    collections::{BTreeMap, HashSet},
    hash::{DefaultHasher, Hash as _, Hasher as _},
    ops::ControlFlow,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    keyring::Entries,
    secrets::Secrets,
    simulated::{Entry, Image, Inode, Operation, Tree, split},
};

/// So many entry operations in doubt are tried in every combination.
const EVERY_COMBINATION: usize = 6;
const SAMPLES: usize = 12;

/// One state after a crash.
pub(crate) struct Crash {
    /// How much had been acknowledged.
    pub(crate) acknowledged: usize,
    /// How many operations had been made.
    pub(crate) at: usize,
    pub(crate) image: Image,
    /// What the keyrings held.
    pub(crate) entries: Entries,
    /// The secrets it held: none before the first that the log tells of.
    pub(crate) secrets: Secrets,
}

#[derive(Clone)]
struct Pending {
    operation: Operation,
    in_limbo: bool,
}

impl Pending {
    /// The directory whose sync makes it durable, and the name it changes there.
    fn place(&self) -> (PathBuf, String) {
        match &self.operation {
            Operation::Rename { to, .. } => split(to),
            Operation::Create { path, .. }
            | Operation::Unlink { path }
            | Operation::MakeDirectory { path }
            | Operation::RemoveDirectory { path } => split(path),
            other => unreachable!("{other:?} changes no entry"),
        }
    }
}

struct Content {
    bytes: Vec<u8>,
    synced: usize,
    /// What was there before it was cut, if no sync came since: the cut may be lost.
    uncut: Option<Vec<u8>>,
}

/// The disk at one point of the log.
struct Disk {
    durable: Tree,
    pending: Vec<Pending>,
    contents: Vec<Content>,
}

impl Disk {
    fn of(image: &Image) -> Self {
        let content = |bytes: &Arc<Vec<u8>>| Content {
            bytes: bytes.to_vec(),
            synced: bytes.len(),
            uncut: None,
        };
        Self {
            durable: image.tree.clone(),
            pending: Vec::new(),
            contents: image.contents.iter().map(content).collect(),
        }
    }

    fn take(&mut self, operation: &Operation) {
        match operation {
            Operation::Write { inode, bytes } => {
                self.contents[*inode].bytes.extend_from_slice(bytes);
            }
            Operation::SyncFile { inode } => {
                let content = &mut self.contents[*inode];
                content.synced = content.bytes.len();
                content.uncut = None;
            }
            Operation::Cut { inode, len } => self.contents[*inode].cut(*len),
            Operation::SyncDirectory { path } => self.sync(path),
            Operation::FailedSync { directory } => {
                for pending in &mut self.pending {
                    pending.in_limbo |= pending.place().0 == *directory;
                }
            }
            Operation::Acknowledged | Operation::Keyring { .. } | Operation::Secrets { .. } => {}
            entry => {
                if matches!(entry, Operation::Create { .. }) {
                    self.contents.push(Content {
                        bytes: Vec::new(),
                        synced: 0,
                        uncut: None,
                    });
                }
                if let Operation::MakeDirectory { path } = entry {
                    // What is synced in it stays in it, whether or not anything leads there.
                    self.durable.entry(path.clone()).or_default();
                }
                self.pending.push(Pending {
                    operation: entry.clone(),
                    in_limbo: false,
                });
            }
        }
    }

    fn sync(&mut self, directory: &Path) {
        let mut rest: Vec<Pending> = Vec::new();
        for pending in std::mem::take(&mut self.pending) {
            let place = pending.place();
            if place.0 != directory || pending.in_limbo {
                rest.push(pending);
                continue;
            }
            apply(&mut self.durable, &pending.operation);
            // Done anew, it is in doubt no more.
            rest.retain(|earlier| !earlier.in_limbo || earlier.place() != place);
        }
        self.pending = rest;
    }

    /// Which of the pending operations a crash may keep.
    fn choices(&self, random: &mut Random) -> Vec<Vec<bool>> {
        let count = self.pending.len();
        if count <= EVERY_COMBINATION {
            let bits = |set: usize| (0..count).map(|bit| set >> bit & 1 == 1).collect();
            return (0..1 << count).map(bits).collect();
        }
        let mut choices = vec![vec![false; count], vec![true; count]];
        for one in 0..count {
            choices.push((0..count).map(|other| other == one).collect());
            choices.push((0..count).map(|other| other != one).collect());
        }
        let sample = |_| {
            (0..count)
                .map(|_| random.next().is_multiple_of(2))
                .collect()
        };
        choices.extend((0..SAMPLES).map(sample));
        choices
    }

    fn crash(
        &self,
        kept: &[bool],
        visit: &mut dyn FnMut(Image) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let mut tree = self.durable.clone();
        for (pending, _) in self.pending.iter().zip(kept).filter(|(_, kept)| **kept) {
            apply(&mut tree, &pending.operation);
        }
        let tree = reachable(&tree);
        let in_tree: HashSet<Inode> = tree
            .values()
            .flat_map(BTreeMap::values)
            .filter_map(|entry| {
                if let Entry::File(inode) = entry {
                    Some(*inode)
                } else {
                    None
                }
            })
            .collect();
        let torn: Vec<Inode> = (0..self.contents.len())
            .filter(|inode| {
                let content = &self.contents[*inode];
                in_tree.contains(inode) && content.in_doubt()
            })
            .collect();
        let variants = torn.iter().map(|inode| self.contents[*inode].variants());
        let variants = variants.max().unwrap_or(1);
        // Two torn files are tried in every combination, more of them alike.
        let combinations = if torn.len() <= 2 {
            variants.pow(u32::try_from(torn.len()).expect("two"))
        } else {
            variants
        };
        for combination in 0..combinations {
            let mut contents: Vec<Arc<Vec<u8>>> = Vec::with_capacity(self.contents.len());
            for (inode, content) in self.contents.iter().enumerate() {
                let variant = match torn.iter().position(|one| *one == inode) {
                    None if in_tree.contains(&inode) => 3,
                    None => 0,
                    Some(0) if torn.len() <= 2 => combination % variants,
                    Some(_) if torn.len() <= 2 => combination / variants,
                    Some(_) => combination,
                };
                contents.push(Arc::new(content.after_crash(variant)));
            }
            visit(Image {
                tree: tree.clone(),
                contents,
            })?;
        }
        ControlFlow::Continue(())
    }
}

impl Content {
    fn cut(&mut self, len: usize) {
        let before = || self.bytes[..self.synced].to_vec();
        self.uncut = Some(self.uncut.take().unwrap_or_else(before));
        self.bytes.resize(len, 0);
        self.synced = self.synced.min(len);
    }

    /// Whether a crash may leave something else.
    fn in_doubt(&self) -> bool {
        self.synced < self.bytes.len() || self.uncut.is_some()
    }

    /// In how many ways a crash may leave it.
    fn variants(&self) -> usize {
        if self.uncut.is_some() { 6 } else { 4 }
    }

    fn after_crash(&self, variant: usize) -> Vec<u8> {
        if let Some(uncut) = self.uncut.as_ref().filter(|_| variant > 3) {
            // What was written since may have reached the disk before the cut did.
            let overwritten = if variant == 4 { 0 } else { self.bytes.len() };
            let rest = uncut.get(overwritten..).unwrap_or_default();
            return [&self.bytes[..overwritten], rest].concat();
        }
        let (synced, new) = self.bytes.split_at(self.synced);
        let rest = match variant {
            0 => Vec::new(),
            1 => new[..new.len() / 2].to_vec(),
            2 => vec![0; new.len()],
            _ => new.to_vec(),
        };
        [synced, &rest].concat()
    }
}

fn apply(tree: &mut Tree, operation: &Operation) {
    let mut set = |path: &Path, entry: Option<Entry>| {
        let (directory, name) = split(path);
        // Its directory may have been lost.
        let Some(entries) = tree.get_mut(&directory) else {
            return;
        };
        match entry {
            Some(entry) => entries.insert(name, entry),
            None => entries.remove(&name),
        };
    };
    match operation {
        Operation::Create { path, inode } => set(path, Some(Entry::File(*inode))),
        Operation::Rename { from, to, inode } => {
            set(from, None);
            set(to, Some(Entry::File(*inode)));
        }
        Operation::Unlink { path } | Operation::RemoveDirectory { path } => set(path, None),
        Operation::MakeDirectory { path } => set(path, Some(Entry::Directory)),
        other => unreachable!("{other:?} changes no entry"),
    }
}

/// Without the directories that no entry leads to. The first one is the root.
fn reachable(tree: &Tree) -> Tree {
    let mut found = Tree::new();
    for (path, entries) in tree {
        let (parent, name) = split(path);
        let linked =
            |parent: &BTreeMap<String, Entry>| parent.get(&name) == Some(&Entry::Directory);
        if found.is_empty() || found.get(&parent).is_some_and(linked) {
            found.insert(path.clone(), entries.clone());
        }
    }
    found
}

/// Visits every state that a crash may leave: before every operation of `log` and after the last.
/// With `skip_sync`, as if the sync of that number had not been made.
pub(crate) fn enumerate(
    base: &Image,
    entries: &Entries,
    log: &[Operation],
    skip_sync: Option<usize>,
    visit: &mut dyn FnMut(Crash) -> ControlFlow<()>,
) -> ControlFlow<()> {
    let mut disk = Disk::of(base);
    let mut entries = entries.clone();
    let mut secrets = Secrets::new();
    let mut random = Random(0x5eed);
    let mut seen = HashSet::new();
    let (mut acknowledged, mut syncs) = (0, 0);
    for at in 0..=log.len() {
        for kept in disk.choices(&mut random) {
            disk.crash(&kept, &mut |image| {
                let mut hasher = DefaultHasher::new();
                (acknowledged, &image, &entries, &secrets).hash(&mut hasher);
                if seen.insert(hasher.finish()) {
                    visit(Crash {
                        acknowledged,
                        at,
                        image,
                        entries: entries.clone(),
                        secrets: secrets.clone(),
                    })
                } else {
                    ControlFlow::Continue(())
                }
            })?;
        }
        let Some(operation) = log.get(at) else { break };
        acknowledged += usize::from(matches!(operation, Operation::Acknowledged));
        if let Operation::Keyring { entries: held } = operation {
            entries.clone_from(held);
        }
        if let Operation::Secrets { secrets: held } = operation {
            secrets.clone_from(held);
        }
        let skipped = operation.is_sync() && skip_sync == Some(syncs);
        syncs += usize::from(operation.is_sync());
        if !skipped {
            disk.take(operation);
        }
    }
    ControlFlow::Continue(())
}

/// Some of the states that a crash after the last operation may leave: nothing kept that was not
/// synced, everything kept, and a few in between.
pub(crate) fn sample_final(base: &Image, log: &[Operation], seed: u64) -> Vec<Image> {
    let mut disk = Disk::of(base);
    for operation in log {
        disk.take(operation);
    }
    let mut random = Random(seed | 1);
    let count = disk.pending.len();
    let mut choices = vec![vec![false; count], vec![true; count]];
    let samples = if count > 1 { 2 } else { 0 };
    choices.extend((0..samples).map(|_| {
        (0..count)
            .map(|_| random.next().is_multiple_of(2))
            .collect()
    }));
    let mut images = Vec::new();
    for kept in choices {
        let mut torn = Vec::new();
        let _ = disk.crash(&kept, &mut |image| {
            torn.push(image);
            ControlFlow::Continue(())
        });
        let one = usize::try_from(random.next()).unwrap_or(0) % torn.len();
        images.push(torn.swap_remove(one));
    }
    images
}

/// Xorshift: the same sequence in every run.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}
