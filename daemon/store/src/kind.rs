//! What every kind of store implements, and all that rotation, lock, export, backup, doctor and
//! upkeep know of a store.

use std::{
    any::Any,
    collections::BTreeSet,
    io::{self, Read},
    ops::ControlFlow,
    sync::Arc,
};

use vault_crypto::{
    Address, ContentHash, Envelope, EnvelopeError, Header, KeyId, NameKey, VaultId,
};
use zeroize::Zeroizing;

use crate::{
    blobs::{BlobKind, BlobRef},
    catalogue::{Kind, Protection, StoreRecord},
    clock::Clock,
    databases::DatabaseKind,
    documents::DocumentKind,
    error::{StoreError, StoreResult},
    files::FileKind,
    id::Revision,
    references::References,
    root::DataRoot,
    secrets::{SecretKeyring, SecretKind},
    store_keys::StoreKeys,
};

/// How much of an object that is put back is held at once, in bytes.
const PIECE: usize = 256 << 10;

/// What a store is opened with.
#[derive(Clone)]
pub struct StoreContext {
    /// Where the vault lies.
    pub root: DataRoot,
    /// The vault.
    pub vault: VaultId,
    /// The store's entry in the catalogue.
    pub record: StoreRecord,
    /// The store's data keys.
    pub keys: Arc<StoreKeys>,
    /// Key of object names.
    pub names: Arc<NameKey>,
    /// What the vault's stores name, and the way from one to another.
    pub references: Arc<References>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Largest body, in bytes.
    pub body_limit: u64,
    /// How many tombstones a store keeps. A watch from before the oldest must list anew.
    pub tombstones: u64,
    /// Whether upkeep runs by itself on threads of its own. Crash tests say no.
    pub background: bool,
    /// Where the values of secrets go.
    pub secrets: SecretKeyring,
}

impl StoreContext {
    /// Opens a part of the envelope that begins `bytes`, with the key its header names.
    pub fn open_envelope(
        &self,
        address: Address<'_>,
        bytes: &[u8],
        part: Part,
        object: &dyn Fn() -> String,
    ) -> StoreResult<Zeroizing<Vec<u8>>> {
        let ring = self.keys.ring();
        let (current, _) = ring.current()?;
        let open = || {
            let found = Header::parse(bytes)?.key_id();
            let key = ring.get(found).ok_or(EnvelopeError::OtherKey {
                found,
                expected: current,
            })?;
            let envelope = Envelope::new(key, found, address, bytes)?;
            match part {
                Part::Metadata => envelope.open_metadata(),
                Part::Body => envelope.open_body(),
            }
        };
        open().map_err(|error| StoreError::envelope(object(), &error))
    }
}

/// What is sealed apart in an envelope.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Part {
    /// What a listing reads.
    Metadata,
    /// The content.
    Body,
}

/// Figures of a store.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct StoreStats {
    /// Live objects.
    pub objects: u64,
    /// Bytes of their bodies in the clear.
    pub body_bytes: u64,
    /// Newest change.
    pub revision: Revision,
    /// Objects still plaintext, awaiting migration.
    pub awaiting_migration: u64,
    /// Objects that cannot be read.
    pub damaged: u64,
}

/// So many objects, tombstones included, and bytes of their bodies in the clear.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Amount {
    /// Objects.
    pub objects: u64,
    /// Bytes.
    pub bytes: u64,
}

impl std::ops::AddAssign for Amount {
    fn add_assign(&mut self, other: Self) {
        self.objects += other.objects;
        self.bytes += other.bytes;
    }
}

/// Told of work done since the last report; answers whether to go on.
pub type Report<'a> = dyn FnMut(Amount) -> ControlFlow<()> + 'a;

/// One object as it leaves a vault or enters one.
pub struct Exported {
    /// Its id within the store.
    pub id: String,
    /// Its place in the store's count of changes. Kept by a store that has not come that far;
    /// zero where none is wanted.
    pub revision: Revision,
    /// Its metadata as JSON.
    pub metadata: Vec<u8>,
    /// Its content in the clear.
    pub body: Zeroizing<Vec<u8>>,
}

impl Exported {
    /// Reads the content of an object to its end.
    fn collect(object: Entry, body: &mut dyn Read) -> StoreResult<Self> {
        // Sized beforehand, since a growing buffer would leave unzeroed copies behind.
        let size = usize::try_from(object.size).map_err(|_| {
            StoreError::InvalidArgument(format!("`{}` is too large for this machine", object.id))
        })?;
        let mut content = Zeroizing::new(Vec::with_capacity(size));
        body.read_to_end(&mut content)
            .map_err(|error| StoreError::of_body(&object.id, error))?;
        Ok(Self {
            id: object.id,
            revision: object.revision,
            metadata: object.metadata,
            body: content,
        })
    }
}

/// One object as it leaves a vault or enters one, but for its content.
pub struct Entry {
    /// Its id within the store.
    pub id: String,
    /// Its place in the store's count of changes.
    pub revision: Revision,
    /// MIME type of its content.
    pub content_type: String,
    /// Bytes of its content in the clear.
    pub size: u64,
    /// SHA-256 of its content.
    pub sha256: ContentHash,
    /// Its metadata as JSON.
    pub metadata: Vec<u8>,
}

/// A store as of one moment, however much is written to it meanwhile. Its objects are numbered from
/// zero by ascending revision.
pub trait Snapshot: Send {
    /// The newest change it knows of.
    fn revision(&self) -> Revision;
    /// How many objects there are, and bytes of their content.
    fn amount(&self) -> Amount;
    /// What is known of an object besides its content; `None` past the last one.
    fn entry(&self, index: usize) -> StoreResult<Option<Entry>>;
    /// The content of one object in the clear, as a stream: in flat memory where the kind
    /// [streams](StoreKind::streams). Where the store fails amid it, the error carries a
    /// [`StoreError`].
    fn body(&self, index: usize) -> StoreResult<Box<dyn Read + '_>>;
    /// Reads one object whole, in the clear.
    fn read(&self, index: usize) -> StoreResult<Exported> {
        let entry = self.entry(index)?.ok_or_else(|| no_object(index))?;
        Exported::collect(entry, &mut *self.body(index)?)
    }
}

/// What is said of a number past a snapshot's last object.
pub(crate) fn no_object(index: usize) -> StoreError {
    StoreError::InvalidArgument(format!("the snapshot has no object {index}"))
}

/// [`Store::import`] of a kind that streams: one object after the other.
pub(crate) fn import_each(
    store: &dyn Store,
    content_type: &str,
    objects: Vec<Exported>,
) -> StoreResult<u64> {
    let mut unchanged = 0;
    for object in objects {
        let body = object.body;
        let entry = Entry {
            id: object.id,
            revision: object.revision,
            content_type: content_type.to_owned(),
            size: body.len() as u64,
            sha256: ContentHash::of(&body),
            metadata: object.metadata,
        };
        unchanged += u64::from(store.import_stream(entry, &mut &body[..])?);
    }
    Ok(unchanged)
}

/// Hands the content of the object `id` to `write`, piece by piece, to its end.
pub(crate) fn pour(
    id: &str,
    body: &mut dyn Read,
    mut write: impl FnMut(&[u8]) -> StoreResult<()>,
) -> StoreResult<()> {
    let mut piece = Zeroizing::new(vec![0; PIECE]);
    loop {
        match body.read(&mut piece) {
            Ok(0) => return Ok(()),
            Ok(read) => write(&piece[..read])?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(StoreError::of_body(id, error)),
        }
    }
}

/// Held while nothing may be written; writers wait until it is dropped.
pub struct Quiesced<'a> {
    pub(crate) _guard: Box<dyn Guard + 'a>,
}

/// Whatever a kind holds to keep writers out.
pub(crate) trait Guard {}

impl<T> Guard for T {}

/// A kind of store: makes, opens and removes stores.
pub trait StoreKind: Send + Sync {
    /// Creates what a new store needs on disk, durably. Called again after a crash, it completes.
    fn create(&self, context: &StoreContext) -> StoreResult<()>;
    /// Opens a store.
    fn open(&self, context: StoreContext) -> StoreResult<Arc<dyn Store>>;
    /// The figures of a store that is not open, in a context whose root is only looked at. The default
    /// suits a kind that opens by reading through that root alone.
    fn examine(&self, context: StoreContext) -> StoreResult<StoreStats> {
        self.open(context)?.stats()
    }
    /// Removes the files of a store that is in no catalogue any more. Best effort: its key is gone.
    fn remove_files(&self, root: &DataRoot, record: &StoreRecord);
    /// Whether an object of this metadata, which came from outside, may be imported under `id`.
    /// Returns the MIME type of its content.
    fn check_import(
        &self,
        protection: Protection,
        id: &str,
        metadata: &[u8],
    ) -> StoreResult<String>;
    /// Whether objects are of any size, and are put back one by one through
    /// [`Store::import_stream`]. Those of other kinds fit into memory and into their store's size
    /// class, and are put back in groups.
    fn streams(&self) -> bool {
        false
    }
}

/// The implementation of a kind.
pub(crate) fn implementation(kind: Kind) -> &'static dyn StoreKind {
    match kind {
        Kind::Documents => &DocumentKind,
        Kind::Database => &DatabaseKind,
        Kind::Blobs => &BlobKind,
        Kind::Files => &FileKind,
        Kind::Secrets => &SecretKind,
    }
}

/// An open store, of whatever kind.
pub trait Store: Any + Send + Sync {
    /// Ends every watch and refuses every further call; keys go when the last call in flight does.
    fn close(&self);
    /// Waits for the writes in flight and keeps new ones waiting.
    fn quiesce(&self) -> Quiesced<'_>;
    /// The store as it is at this moment, for as long as the snapshot is held; writers go on.
    ///
    /// Refused where an object cannot be read: a snapshot without it would pass for the whole.
    fn snapshot(&self) -> StoreResult<Box<dyn Snapshot>>;
    /// The same with the values of secrets, which lie outside the vault otherwise.
    fn snapshot_with_secrets(&self) -> StoreResult<Box<dyn Snapshot>> {
        self.snapshot()
    }
    /// Durably writes one object that a [`Snapshot`] read.
    fn import_one(&self, object: Exported) -> StoreResult<()>;
    /// Durably writes objects that a [`Snapshot`] read, which come by ascending revision. Those
    /// that are there already and equal are left alone; returns how many. After an error some may
    /// have been written.
    fn import(&self, objects: Vec<Exported>) -> StoreResult<u64>;
    /// Durably writes one object whose content comes as a stream. Returns whether an equal one was
    /// there already and was left alone; the stream need not be read then.
    ///
    /// `body` gives `object.size` bytes with the hash `object.sha256`, or fails: its end is reached
    /// only once both were found right. An implementation therefore reads to the end before it
    /// commits, and keeps nothing where that failed.
    fn import_stream(&self, object: Entry, body: &mut dyn Read) -> StoreResult<bool> {
        Ok(self.import(vec![Exported::collect(object, body)?])? == 1)
    }
    /// What is not sealed under the store's current key.
    fn outdated(&self) -> StoreResult<Amount>;
    /// Durably seals anew, under the current key, whatever is not. Objects that cannot be read are
    /// left as they are. Others are read and written meanwhile.
    fn reencrypt(&self, report: &mut Report<'_>) -> StoreResult<ControlFlow<()>>;
    /// Reads every object whole and opens it; those known to be damaged aside.
    fn verify(&self, report: &mut Report<'_>) -> StoreResult<ControlFlow<()>>;
    /// The keys, the current one aside, that anything on disk may still need: all the store has
    /// where it holds something that cannot be read.
    fn older_keys_in_use(&self) -> StoreResult<BTreeSet<KeyId>>;
    /// Reads one object whole and checks it.
    fn verify_one(&self, id: &str) -> StoreResult<()>;
    /// The blobs that the store's objects name.
    fn references(&self) -> StoreResult<Vec<String>>;
    /// What of the store's objects names this blob: one of them, in words. The default suits a kind
    /// whose objects name none.
    fn naming(&self, _reference: &BlobRef) -> StoreResult<Option<String>> {
        Ok(None)
    }
    /// Figures.
    fn stats(&self) -> StoreResult<StoreStats>;
}
