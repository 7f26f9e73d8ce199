//! Whatever stands in a file, reading it does not panic, and only what was sealed opens.
//!
//! `fuzz/fuzz_targets/envelope.rs` asks the same without end.

use std::sync::LazyLock;

use proptest::{collection::vec, prelude::*, sample::Index};
use vault_crypto::{
    Address, DataKey, Envelope, Header, KeyId, KeyPurpose, KeyTable, SecretBytes, StorageKey,
    VaultId, envelope, key_table::TableInfo, passphrase,
};

const KEY_ID: KeyId = KeyId::from_bytes([1; 8]);
const ADDRESS: Address<'static> = Address {
    vault: VaultId::from_bytes([2; 16]),
    store: b"store",
    object: b"object",
    revision: 1,
};
const METADATA: &[u8] = b"some metadata";
const BODY: &[u8] = b"a body of several words";

static DATA_KEY: LazyLock<DataKey> =
    LazyLock::new(|| DataKey::from_bytes(&[3; 32]).expect("32 bytes"));
static STORAGE_KEY: LazyLock<StorageKey> =
    LazyLock::new(|| StorageKey::from_bytes(&[4; 32]).expect("32 bytes"));
static PASSPHRASE: LazyLock<SecretBytes> =
    LazyLock::new(|| SecretBytes::new(b"correct horse".to_vec()));

static ENVELOPE: LazyLock<Vec<u8>> = LazyLock::new(|| {
    envelope::seal(&DATA_KEY, KEY_ID, &ADDRESS, METADATA, BODY).expect("within the limits")
});
static TABLE: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let mut table = KeyTable::new(ADDRESS.vault);
    table.add(KeyPurpose::catalogue()).expect("random source");
    table
        .add(KeyPurpose::store("0011223344556677"))
        .expect("random source");
    table.wrap(&STORAGE_KEY).expect("random source")
});
/// At the least work, so that a case costs microseconds.
static KEY_FILE: LazyLock<Vec<u8>> =
    LazyLock::new(|| passphrase::seal_key(&STORAGE_KEY, &PASSPHRASE, Some(2)).expect("sealed"));

/// Metadata and body, where they open.
fn open(bytes: &[u8]) -> (Option<Vec<u8>>, Option<Vec<u8>>) {
    let Ok(envelope) = Envelope::new(&DATA_KEY, KEY_ID, ADDRESS, bytes) else {
        return (None, None);
    };
    let metadata = envelope.open_metadata().ok();
    let body = envelope.open_body().ok();
    (
        metadata.map(|opened| opened.to_vec()),
        body.map(|opened| opened.to_vec()),
    )
}

/// One way to change bytes.
#[derive(Debug, Clone)]
enum Edit {
    Set(Index, u8),
    Cut(Index),
    Append(Vec<u8>),
    Remove(Index),
    Insert(Index, u8),
    /// Eight bytes at once, as a length field is.
    Overwrite(Index, [u8; 8]),
}

impl Edit {
    fn apply(&self, bytes: &mut Vec<u8>) {
        if bytes.is_empty() {
            return;
        }
        match self {
            Self::Set(at, byte) => {
                let at = at.index(bytes.len());
                bytes[at] = *byte;
            }
            Self::Cut(at) => bytes.truncate(at.index(bytes.len())),
            Self::Append(more) => bytes.extend_from_slice(more),
            Self::Remove(at) => {
                bytes.remove(at.index(bytes.len()));
            }
            Self::Insert(at, byte) => bytes.insert(at.index(bytes.len()), *byte),
            Self::Overwrite(at, field) => {
                let start = at.index(bytes.len());
                for (byte, new) in bytes[start..].iter_mut().zip(field) {
                    *byte = *new;
                }
            }
        }
    }
}

/// Edits that keep every byte at its place.
fn edit_in_place() -> impl Strategy<Value = Edit> {
    prop_oneof![
        4 => (any::<Index>(), any::<u8>()).prop_map(|(at, byte)| Edit::Set(at, byte)),
        1 => any::<Index>().prop_map(Edit::Cut),
        1 => vec(any::<u8>(), 0..40).prop_map(Edit::Append),
    ]
}

fn edit() -> impl Strategy<Value = Edit> {
    prop_oneof![
        3 => edit_in_place(),
        1 => any::<Index>().prop_map(Edit::Remove),
        1 => (any::<Index>(), any::<u8>()).prop_map(|(at, byte)| Edit::Insert(at, byte)),
        1 => (any::<Index>(), any::<[u8; 8]>()).prop_map(|(at, field)| Edit::Overwrite(at, field)),
    ]
}

fn edited(original: &[u8], edits: &[Edit]) -> Vec<u8> {
    let mut bytes = original.to_vec();
    for edit in edits {
        edit.apply(&mut bytes);
    }
    bytes
}

/// Arbitrary bytes, half of them behind a beginning that a parser takes.
fn arbitrary_file() -> impl Strategy<Value = Vec<u8>> {
    let beginning = prop_oneof![
        3 => Just(&b""[..]),
        1 => Just(&b"\x89VLT\x01\x01\0\0"[..]),
        1 => Just(&b"\x89VKT\x01\x01\0\0"[..]),
        1 => Just(&b"age-encryption.org/v1\n"[..]),
    ];
    (beginning, vec(any::<u8>(), 0..300))
        .prop_map(|(beginning, rest)| [beginning, rest.as_slice()].concat())
}

proptest! {
    #[test]
    fn arbitrary_bytes_open_nowhere(bytes in arbitrary_file()) {
        if let Ok(header) = Header::parse(&bytes) {
            prop_assert!(header.envelope_len() <= envelope::BODY_LIMIT + (1 << 17));
        }
        prop_assert_eq!(open(&bytes), (None, None));
        let _ = TableInfo::parse(&bytes);
        prop_assert!(KeyTable::unwrap(&STORAGE_KEY, &bytes).is_err());
        prop_assert!(passphrase::open_key(&bytes, &PASSPHRASE).is_err());
    }

    #[test]
    fn an_edited_envelope_does_not_open(edits in vec(edit(), 0..4)) {
        let bytes = edited(&ENVELOPE, &edits);
        let head = Header::parse(&ENVELOPE).expect("an envelope").head_len();
        let head_kept = bytes.get(..head) == Some(&ENVELOPE[..head]);
        let (metadata, body) = open(&bytes);
        prop_assert_eq!(metadata.as_deref(), head_kept.then_some(METADATA));
        // The body is bound to the header, and is not bound to the sealed metadata.
        let body_kept = bytes.len() == ENVELOPE.len()
            && bytes[..envelope::HEADER_LEN] == ENVELOPE[..envelope::HEADER_LEN]
            && bytes[head..] == ENVELOPE[head..];
        prop_assert_eq!(body.as_deref(), body_kept.then_some(BODY));
    }

    #[test]
    fn an_edited_key_table_does_not_open(edits in vec(edit(), 0..4)) {
        let bytes = edited(&TABLE, &edits);
        let opened = KeyTable::unwrap(&STORAGE_KEY, &bytes);
        prop_assert_eq!(opened.is_ok(), bytes == *TABLE);
        if let Ok(info) = TableInfo::parse(&bytes) {
            prop_assert_eq!(info.vault.as_bytes(), &bytes[8..24]);
        }
    }

    /// In place only: an inserted digit would ask scrypt for up to 2^20, a second and a gibibyte.
    #[test]
    fn an_edited_key_file_does_not_open(edits in vec(edit_in_place(), 0..4)) {
        let bytes = edited(&KEY_FILE, &edits);
        let opened = passphrase::open_key(&bytes, &PASSPHRASE);
        prop_assert_eq!(opened.is_ok(), bytes == *KEY_FILE);
    }
}
