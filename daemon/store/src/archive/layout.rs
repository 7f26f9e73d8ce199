//! Which bytes stand between the bodies (POSIX.1-2001, pax interchange format).
//!
//! Every byte of an archive follows from its manifest and the bodies: owner 0, mode 0600, and the
//! moment of the export as every entry's time. Whoever reads one can therefore say beforehand what
//! must come next, and compare.

use tar::{EntryType, Header};

/// Entries begin and end at multiples of this.
pub(super) const BLOCK: usize = 512;

/// Name of the manifest, which is the first entry.
pub(super) const MANIFEST: &str = "manifest.json";

/// Name of the extended header that begins every archive.
const BEGINNING: &str = "pax/manifest.json";

/// What stands before the manifest's content: extended header, its record, header.
pub(super) const MANIFEST_HEAD: usize = 3 * BLOCK;

/// Two blocks of zeros end a tar file.
pub(super) const END: [u8; 2 * BLOCK] = [0; 2 * BLOCK];

/// Longest name that stands in a header itself.
const NAME_LIMIT: usize = 100;

/// Largest size that a header itself can tell.
const SIZE_LIMIT: u64 = 0o777_7777_7777;

/// Latest time a header can tell, in seconds since 1970.
pub(super) const LATEST: u64 = 0o777_7777_7777;

/// Where an entry stands: number of the store, number of the object in it.
pub(super) type Place = (usize, usize);

fn header(kind: EntryType, name: &str, size: u64, time: u64) -> [u8; BLOCK] {
    let mut header = Header::new_ustar();
    if let Some(fields) = header.as_ustar_mut() {
        for (field, byte) in fields.name.iter_mut().zip(name.bytes()) {
            *field = byte;
        }
    }
    header.set_entry_type(kind);
    header.set_mode(0o600);
    header.set_uid(0);
    header.set_gid(0);
    header.set_size(size);
    header.set_mtime(time);
    header.set_cksum();
    *header.as_bytes()
}

/// An extended header, with these records in it.
fn extended(name: &str, records: &str, time: u64) -> Vec<u8> {
    let mut bytes = header(EntryType::XHeader, name, records.len() as u64, time).to_vec();
    bytes.extend_from_slice(records.as_bytes());
    bytes.resize(bytes.len() + padding(records.len() as u64), 0);
    bytes
}

/// `LENGTH KEY=VALUE\n`, where the length counts itself.
fn record(key: &str, value: &str) -> String {
    let rest = format!(" {key}={value}\n");
    let mut digits = 1;
    loop {
        let len = rest.len() + digits;
        let counted = len.to_string();
        if counted.len() == digits {
            return counted + &rest;
        }
        digits = counted.len();
    }
}

/// How many zeros follow a content of `size` bytes.
pub(super) fn padding(size: u64) -> usize {
    let over = usize::try_from(size % BLOCK as u64).expect("less than a block");
    (BLOCK - over) % BLOCK
}

/// What stands before the manifest: its hash, too, since nothing else vouches for it in a file in
/// the clear.
pub(super) fn manifest_head(size: u64, sha256: &str, time: u64) -> Vec<u8> {
    let comment = record("comment", &format!("sha256:{sha256}"));
    let mut bytes = extended(BEGINNING, &comment, time);
    bytes.extend(header(EntryType::Regular, MANIFEST, size, time));
    bytes
}

/// What stands before an object's body.
pub(super) fn entry_head(path: &str, place: Place, size: u64, time: u64) -> Vec<u8> {
    let (mut name, mut size_there, mut records) = (path.to_owned(), size, String::new());
    let (store, object) = place;
    if path.len() > NAME_LIMIT || !path.is_ascii() {
        // A header has no character set; a record is UTF-8. Programs that do not know extended headers see a name of its own for each.
        name = format!("long/{store}/{object}");
        records += &record("path", path);
    }
    if size > SIZE_LIMIT {
        size_there = 0;
        records += &record("size", &size.to_string());
    }
    let entry = header(EntryType::Regular, &name, size_there, time);
    if records.is_empty() {
        return entry.to_vec();
    }
    let mut bytes = extended(&format!("pax/{store}/{object}"), &records, time);
    bytes.extend(entry);
    bytes
}

/// Whether a file that begins like this is meant to be an archive.
pub(super) fn begins_archive(head: &[u8]) -> bool {
    head.starts_with(BEGINNING.as_bytes())
}

/// The size of the manifest and the time of the export, from what stands before the manifest; none
/// where it is not that.
pub(super) fn parse_manifest_head(head: &[u8; MANIFEST_HEAD]) -> Option<(u64, u64)> {
    let header = Header::from_byte_slice(&head[2 * BLOCK..]);
    let size = header.entry_size().ok()?;
    let time = header.mtime().ok()?;
    (*header.path_bytes() == *MANIFEST.as_bytes() && time <= LATEST).then_some((size, time))
}

/// How a block that was not expected presents itself.
pub(super) fn describe(block: &[u8]) -> String {
    if block.len() < BLOCK {
        return "the file ends".to_owned();
    }
    if block.iter().all(|byte| *byte == 0) {
        return "the archive ends".to_owned();
    }
    let name = Header::from_byte_slice(&block[..BLOCK]).path_bytes();
    let name = String::from_utf8_lossy(&name).escape_debug().to_string();
    format!("`{name}` stands")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_count_themselves() {
        for len in 0..1200 {
            let record = record("path", &"x".repeat(len));
            let (counted, _) = record.split_once(' ').expect("a length");
            assert_eq!(counted.parse(), Ok(record.len()));
        }
    }

    #[test]
    fn the_head_of_a_manifest_is_as_long_as_said() {
        for size in [0, 1, 1 << 30] {
            let head = manifest_head(size, &"0".repeat(64), LATEST);
            let head: &[u8; MANIFEST_HEAD] = head[..].try_into().expect("three blocks");
            assert_eq!(parse_manifest_head(head), Some((size, LATEST)));
        }
    }

    #[test]
    fn names_and_sizes_that_no_header_holds_are_read_from_records() {
        let long = "x/".repeat(80) + "x";
        for path in ["short", "é", &long] {
            for size in [0, SIZE_LIMIT, SIZE_LIMIT + 1, 1 << 47] {
                let head = entry_head(path, (1, 2), size, 5);
                let mut archive = tar::Archive::new(&head[..]);
                let mut entries = archive.entries().expect("a tar file");
                let entry = entries.next().expect("an entry").expect("well formed");
                assert_eq!(
                    (entry.size(), &*entry.path_bytes()),
                    (size, path.as_bytes())
                );
                let plain = path == "short" && size <= SIZE_LIMIT;
                assert_eq!(head.len() == BLOCK, plain);
            }
        }
    }

    #[test]
    fn bodies_end_with_their_block() {
        for (size, expected) in [(0, 0), (1, 511), (511, 1), (512, 0), (513, 511)] {
            assert_eq!(padding(size), expected);
        }
    }
}
