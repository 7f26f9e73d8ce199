//! The master key that a storage key is derived from: 32 bytes.

use std::path::PathBuf;

use data_encoding::{
    BASE64, BASE64_NOPAD, BASE64URL, BASE64URL_NOPAD, Encoding, HEXLOWER_PERMISSIVE,
};
use zeroize::Zeroizing;

use crate::{failure::Failure, input, prompt};

/// A master key.
pub(super) type Master = Zeroizing<[u8; 32]>;

#[derive(clap::Args, Debug)]
pub(super) struct MasterOptions {
    /// File with the master key: 64 hex digits, base64, or 32 raw bytes; `-` is standard input
    #[arg(long, value_name = "FILE")]
    pub(super) master_file: Option<PathBuf>,
    /// The same, from an open file descriptor
    #[cfg(unix)]
    #[arg(long, value_name = "N", conflicts_with = "master_file")]
    pub(super) master_fd: Option<u32>,
}

impl MasterOptions {
    /// The master key named, if one is.
    pub(super) fn read(&self) -> Result<Option<Master>, Failure> {
        #[cfg(unix)]
        let descriptor = self.master_fd.map(input::descriptor);
        #[cfg(not(unix))]
        let descriptor = None;
        let Some(file) = descriptor.as_ref().or(self.master_file.as_ref()) else {
            return Ok(None);
        };
        let bytes = input::whole(file, "the master key file")?;
        from_file(&bytes).map(Some).ok_or_else(unfit)
    }
}

/// Asks for it.
pub(super) fn ask() -> Result<Master, Failure> {
    let typed = prompt::secret("Master key, 64 hex digits or base64")?;
    from_text(&typed).ok_or_else(unfit)
}

fn unfit() -> Failure {
    Failure::usage("a master key is 64 hex digits, or 32 bytes in base64")
}

fn from_file(bytes: &[u8]) -> Option<Master> {
    // 32 digits and no newline would be half a key: chance does not make raw bytes look so.
    if bytes.len() == 32 && !bytes.iter().all(u8::is_ascii_hexdigit) {
        return raw(bytes);
    }
    from_text(bytes)
}

fn from_text(text: &[u8]) -> Option<Master> {
    let text = text.trim_ascii();
    let decoded = |encoding: &Encoding| {
        let bytes = Zeroizing::new(encoding.decode(text).ok()?);
        raw(&bytes)
    };
    // 64 digits are 48 bytes of base64, too: only one of the forms gives 32.
    [
        HEXLOWER_PERMISSIVE,
        BASE64,
        BASE64_NOPAD,
        BASE64URL,
        BASE64URL_NOPAD,
    ]
    .iter()
    .find_map(decoded)
}

fn raw(bytes: &[u8]) -> Option<Master> {
    let mut master = Zeroizing::new([0; 32]);
    if bytes.len() != master.len() {
        return None;
    }
    master.copy_from_slice(bytes);
    Some(master)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_a_master_key_gives_the_same() {
        let key: [u8; 32] = std::array::from_fn(|at| 0xf8 ^ u8::try_from(at).expect("below 32"));
        for encoding in [
            HEXLOWER_PERMISSIVE,
            BASE64,
            BASE64_NOPAD,
            BASE64URL,
            BASE64URL_NOPAD,
        ] {
            let text = encoding.encode(&key);
            assert_eq!(from_text(text.as_bytes()).as_deref(), Some(&key), "{text}");
            let line = format!("{text}\n");
            assert_eq!(from_file(line.as_bytes()).as_deref(), Some(&key), "{text}");
        }
        let upper = HEXLOWER_PERMISSIVE.encode(&key).to_uppercase();
        assert_eq!(from_text(upper.as_bytes()).as_deref(), Some(&key));
        assert_eq!(from_file(&key).as_deref(), Some(&key), "raw");
    }

    #[test]
    fn what_is_not_32_bytes_is_no_master_key() {
        assert!(from_text(&[b'a'; 32]).is_none(), "16 bytes in hex");
        assert!(from_file(&[b'a'; 32]).is_none(), "16 bytes in hex");
        assert!(from_file(&[0xff; 31]).is_none());
        assert!(from_file(b"").is_none());
        assert!(from_text("ä".as_bytes()).is_none());
    }
}
