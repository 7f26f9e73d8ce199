//! The form in which a database leaves the vault and comes back: an ordinary SQLite file.
//!
//! Its pages are those of the database, in the clear, so that nothing of it is lost or arranged
//! anew. Changed is what is not content but says how and when it was written (SQLite file format,
//! section 1.3): two databases of the same content give the same bytes.

use serde::{Deserialize, Serialize};

use crate::{
    catalogue::Protection,
    error::{StoreError, StoreResult},
};

/// Id of the only object of a database.
pub(super) const OBJECT: &str = "database";

/// MIME type of its content, as registered.
pub(super) const CONTENT_TYPE: &str = "application/vnd.sqlite3";

/// Length of the header, with which the first page begins, in bytes.
pub(super) const HEADER: usize = 100;

/// What `SQLCipher` keeps for itself at the end of each page, in bytes: an initialisation vector and
/// an HMAC-SHA-512.
pub(super) const RESERVED: u8 = 80;

const MAGIC: &[u8] = b"SQLite format 3\0";

/// The version that began to write the fields behind it, for whoever asks which one wrote the file.
const VERSION: u32 = 3_007_000;

/// The page that holds this byte is never written: SQLite locks bytes of it.
const LOCK_BYTE: u64 = 1 << 30;

/// What is said of a database besides its content. For people: nothing is decided by it.
#[derive(Serialize, Deserialize)]
pub(super) struct Metadata {
    /// Bytes of a page.
    pub(super) page_size: u32,
    /// `user_version`.
    pub(super) user_version: i64,
}

/// Whether an object from outside may be a database; returns the MIME type of its content.
pub(super) fn check_import(
    protection: Protection,
    id: &str,
    metadata: &[u8],
) -> StoreResult<String> {
    if id != OBJECT {
        return Err(unfit(&format!("its object is not called `{OBJECT}`")));
    }
    if protection == Protection::Plain {
        return Err(unfit("it is not encrypted"));
    }
    serde_json::from_slice::<Metadata>(metadata)
        .map(|_| CONTENT_TYPE.to_owned())
        .map_err(|error| unfit(&format!("its metadata: {error}")))
}

/// Makes a page as it was read the page of an ordinary file.
pub(super) fn make_plain(page: &mut [u8], number: u32, pages: u32) {
    let content = page.len().saturating_sub(RESERVED.into());
    page[content..].fill(0);
    if number == 1 {
        // Journalled by rollback: opened without a write-ahead log beside it.
        page[18..20].fill(1);
        // How often it was changed, and by which version last.
        for (at, value) in [(24, 1), (28, pages), (92, 1), (96, VERSION)] {
            page[at..at + 4].copy_from_slice(&value.to_be_bytes());
        }
    }
}

/// The number of the page that is never written, in a file that is large enough to have it.
pub(super) fn lock_page(page_size: usize) -> u64 {
    LOCK_BYTE / page_size as u64 + 1
}

/// Whether a file that begins like this and is so long has pages that fit; returns how many.
pub(super) fn check_header(header: &[u8], size: u64, page_size: usize) -> StoreResult<u32> {
    if !header.starts_with(MAGIC) {
        return Err(unfit("it is no SQLite file"));
    }
    // 65,536 does not fit in the field and is written as 1.
    let found = match u16::from_be_bytes([header[16], header[17]]) {
        1 => 1 << 16,
        other => usize::from(other),
    };
    let reserved = header[20];
    if (found, reserved) != (page_size, RESERVED) {
        return Err(unfit(&format!(
            "it has pages of {found} bytes, {reserved} of them reserved, where those of a vault have \
             {page_size} and {RESERVED}; `db import` takes any SQLite file"
        )));
    }
    if header[18..20] != [1, 1] {
        return Err(unfit("it is written for a log beside it"));
    }
    let pages = u32::from_be_bytes([header[28], header[29], header[30], header[31]]);
    if pages == 0 || u64::from(pages) * page_size as u64 != size {
        return Err(unfit(&format!(
            "it says to have {pages} pages and has {size} bytes"
        )));
    }
    Ok(pages)
}

/// Why what came from outside is not taken.
pub(super) fn unfit(what: &str) -> StoreError {
    StoreError::InvalidArgument(format!("this is no database that a vault wrote: {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page() -> Vec<u8> {
        let mut page = vec![7; 4096];
        page[..16].copy_from_slice(MAGIC);
        page[16..21].copy_from_slice(&[16, 0, 2, 2, RESERVED]);
        page
    }

    #[test]
    fn what_is_made_plain_is_taken_again() {
        let mut first = page();
        make_plain(&mut first, 1, 3);
        assert_eq!(check_header(&first, 3 * 4096, 4096).expect("fits"), 3);
        assert!(first[4016..].iter().all(|byte| *byte == 0));
        assert!(first[100..4016].iter().all(|byte| *byte == 7), "as it was");
        let mut second = page();
        make_plain(&mut second, 2, 3);
        assert_eq!(second[..4016], page()[..4016], "as it was");
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let mut good = page();
        make_plain(&mut good, 1, 3);
        for (at, byte, what) in [
            (0, b's', "no SQLite file"),
            (16, 32, "pages of 8192 bytes"),
            (20, 0, "0 of them reserved"),
            (18, 2, "a log beside it"),
            (31, 2, "2 pages"),
        ] {
            let mut wrong = good.clone();
            wrong[at] = byte;
            let error = check_header(&wrong, 3 * 4096, 4096).expect_err("does not fit");
            assert!(error.to_string().contains(what), "{error}");
        }
        good[28..32].fill(0);
        assert!(check_header(&good, 0, 4096).is_err(), "nothing in it");
        assert!(check_import(Protection::Protected, "other", b"{}").is_err());
        assert!(check_import(Protection::Protected, OBJECT, b"{}").is_err());
        let metadata = br#"{"page_size": 4096, "user_version": 3, "later": true}"#;
        assert!(check_import(Protection::Plain, OBJECT, metadata).is_err());
        let taken = check_import(Protection::Protected, OBJECT, metadata);
        assert_eq!(taken.expect("fits"), CONTENT_TYPE);
    }
}
