//! What a call is about: where its first message names a store and an object, for the record. Only
//! these fields are looked at: a body is not read for it.

use prost::{
    bytes::Buf as _,
    encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field},
};

/// Where a message names what it is about: the numbers of fields, each in the message before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Names {
    store: &'static [u32],
    object: &'static [u32],
}

/// What a call is about; empty where its message does not say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct About {
    /// The store.
    pub store: String,
    /// The object.
    pub object: String,
}

const fn names(store: &'static [u32], object: &'static [u32]) -> Names {
    Names { store, object }
}

/// Methods by where their first message names what they are about.
const TABLE: &[(Names, &[&str])] = &[
    (
        names(&[1], &[2]),
        &[
            "Documents/Put",
            "Documents/Get",
            "Documents/Patch",
            "Documents/Delete",
            "Documents/Download",
            "Blobs/Get",
            "Blobs/Download",
            "Blobs/Stat",
            "Blobs/Delete",
            "Files/Put",
            "Files/Get",
            "Files/Download",
            "Files/Stat",
            "Files/Delete",
        ],
    ),
    (
        names(&[1, 1], &[1, 2]),
        &["Documents/Upload", "Files/Upload"],
    ),
    (
        names(&[1, 1], &[]),
        &["Blobs/Upload", "Databases/Import", "Databases/Transact"],
    ),
    (
        names(&[1], &[]),
        &[
            "Stores/Create",
            "Stores/Configure",
            "Stores/Remove",
            "Stores/Adopt",
            "Stores/Migrate",
            "Documents/List",
            "Documents/Watch",
            "Documents/Batch",
            "Documents/Import",
            "Databases/Create",
            "Databases/Configure",
            "Databases/Drop",
            "Databases/Execute",
            "Databases/Query",
            "Databases/Batch",
            "Databases/Migrate",
            "Databases/Backup",
            "Databases/Check",
            "Databases/Stats",
            "Blobs/Put",
            "Blobs/List",
            "Blobs/Collect",
            "Blobs/Verify",
            "Files/List",
            "Maintenance/Run",
        ],
    ),
    (
        names(&[], &[1]),
        &[
            "Secrets/Set",
            "Secrets/Get",
            "Secrets/Delete",
            "Secrets/List",
            "Connections/Get",
            "Connections/Activate",
            "Connections/Delete",
            "Keys/Move",
            "Keys/Reset",
            "Passkeys/Rename",
            "Passkeys/Revoke",
            "Passkeys/Reset",
            "Sessions/Revoke",
            "Tokens/Create",
            "Tokens/Revoke",
            "Pairing/Create",
            "Pairing/AddHost",
            "Pairing/RemoveHost",
            "Vault/Init",
        ],
    ),
    (names(&[], &[1, 1]), &["Connections/Save"]),
];

impl Names {
    /// Where the first message of a method names what it is about, if it does.
    pub fn of(method: &str) -> Option<Self> {
        let method = method.strip_prefix("/vault.v1.")?;
        let row = TABLE.iter().find(|(_, methods)| methods.contains(&method));
        row.map(|(names, _)| *names)
    }

    /// Reads the names in a message. What is malformed has none: its service will say so.
    pub fn read(self, message: &[u8]) -> About {
        let text = |path| text(message, path).unwrap_or_default().to_owned();
        About {
            store: text(self.store),
            object: text(self.object),
        }
    }
}

/// The text at a path of field numbers; of several, the last, as proto3 has it.
fn text<'a>(message: &'a [u8], path: &[u32]) -> Option<&'a str> {
    let (first, rest) = path.split_first()?;
    let mut left = message;
    let mut found = None;
    while left.has_remaining() {
        let (number, kind) = decode_key(&mut left).ok()?;
        if number == *first && kind == WireType::LengthDelimited {
            let len = usize::try_from(decode_varint(&mut left).ok()?).ok()?;
            let (field, behind) = left.split_at_checked(len)?;
            (found, left) = (Some(field), behind);
        } else {
            skip_field(kind, number, &mut left, DecodeContext::default()).ok()?;
        }
    }
    if rest.is_empty() {
        std::str::from_utf8(found?).ok()
    } else {
        text(found?, rest)
    }
}

#[cfg(test)]
mod tests;
