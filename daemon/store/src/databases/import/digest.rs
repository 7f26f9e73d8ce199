//! What a table holds, in 32 bytes.

use rusqlite::{Connection, types::ValueRef};
use vault_crypto::ContentHasher;

/// The rows of a table and their hash, as one side read them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TableDigest {
    /// The table.
    pub name: String,
    /// Its rows.
    pub rows: u64,
    /// SHA-256 over the rows in order. Each value is a byte for its class (0 NULL, 1 integer,
    /// 2 real, 3 text, 4 blob) and, but for NULL, 8 bytes big-endian: the integer, the bits of the
    /// real, or the length of the bytes that follow.
    pub sha256: [u8; 32],
}

/// Reads the rows that `select` answers with.
pub(super) fn digest(
    connection: &Connection,
    name: &str,
    select: &str,
) -> rusqlite::Result<TableDigest> {
    let mut statement = connection.prepare(select)?;
    let columns = statement.column_count();
    let mut rows = statement.query(())?;
    let (mut hasher, mut count) = (ContentHasher::new(), 0);
    while let Some(row) = rows.next()? {
        for column in 0..columns {
            add(&mut hasher, row.get_ref(column)?);
        }
        count += 1;
    }
    Ok(TableDigest {
        name: name.to_owned(),
        rows: count,
        sha256: *hasher.finish().as_bytes(),
    })
}

fn add(hasher: &mut ContentHasher, value: ValueRef<'_>) {
    let mut head = |class: u8, number: [u8; 8]| {
        let mut bytes = [class; 9];
        bytes[1..].copy_from_slice(&number);
        hasher.update(&bytes);
    };
    let length = |bytes: &[u8]| (bytes.len() as u64).to_be_bytes();
    match value {
        ValueRef::Null => hasher.update(&[0]),
        ValueRef::Integer(integer) => head(1, integer.to_be_bytes()),
        ValueRef::Real(real) => head(2, real.to_bits().to_be_bytes()),
        ValueRef::Text(bytes) => {
            head(3, length(bytes));
            hasher.update(bytes);
        }
        ValueRef::Blob(bytes) => {
            head(4, length(bytes));
            hasher.update(bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use vault_crypto::ContentHash;

    use super::*;

    #[test]
    fn rows_are_hashed_class_and_length_first() {
        let connection = Connection::open_in_memory().expect("a database");
        let select = "SELECT NULL, -2, 0.5, 'ä', x'00ff' UNION ALL SELECT 1, 1, 1, 1, 1";
        let found = digest(&connection, "t", select).expect("read");
        let mut expected = vec![0, 1, 255, 255, 255, 255, 255, 255, 255, 254];
        expected.extend([2, 0x3f, 0xe0, 0, 0, 0, 0, 0, 0]);
        expected.extend([3, 0, 0, 0, 0, 0, 0, 0, 2, 0xc3, 0xa4]);
        expected.extend([4, 0, 0, 0, 0, 0, 0, 0, 2, 0, 255]);
        for _ in 0..5 {
            expected.extend([1, 0, 0, 0, 0, 0, 0, 0, 1]);
        }
        assert_eq!(found.rows, 2);
        assert_eq!(&found.sha256, ContentHash::of(&expected).as_bytes());
    }
}
