//! Streams that are cut, changed, lengthened, or written to something that fails.

use age::{secrecy::ExposeSecret as _, x25519};

use super::*;
use crate::SecretBytes;

const LEN: usize = 200_000;
const CHUNK: usize = 64 << 10;

struct Person {
    recipients: Vec<String>,
    identity: SecretBytes,
}

impl Person {
    fn new() -> Self {
        let identity = x25519::Identity::generate();
        let text = identity.to_string();
        Self {
            recipients: vec![identity.to_public().to_string()],
            identity: SecretBytes::new(text.expose_secret().as_bytes().to_vec()),
        }
    }

    fn seal(&self, plaintext: &[u8]) -> Vec<u8> {
        let recipients = Recipients::Keys(&self.recipients);
        let mut writer = seal_stream(Vec::new(), &recipients).expect("a vector");
        // In pieces that do not fall on the bounds of chunks.
        for piece in plaintext.chunks(7001) {
            writer.write_all(piece).expect("a vector");
        }
        writer.finish().expect("a vector")
    }

    /// Reads to the end, or to the first error, which must then stay one.
    fn open(&self, sealed: &[u8]) -> Result<Vec<u8>, String> {
        let identities = Identities::Keys(&self.identity);
        let mut reader = open_stream(sealed, &identities).map_err(|error| error.to_string())?;
        let mut plaintext = Vec::new();
        match reader.read_to_end(&mut plaintext) {
            Ok(_) => Ok(plaintext),
            Err(error) => {
                let again = reader.read(&mut [0; 16]);
                assert!(again.is_err(), "after {error}: {again:?}");
                Err(error.to_string())
            }
        }
    }
}

fn plaintext(len: usize) -> Vec<u8> {
    (0..=250).cycle().take(len).collect()
}

#[test]
fn streams_of_any_length_come_back() {
    let person = Person::new();
    for len in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, LEN] {
        let plaintext = plaintext(len);
        let sealed = person.seal(&plaintext);
        assert_eq!(person.open(&sealed).expect("whole"), plaintext, "{len}");
    }
}

#[test]
fn a_passphrase_opens_a_stream() {
    let passphrase = SecretBytes::new(b"correct horse".to_vec());
    let recipients = Recipients::Passphrase {
        passphrase: &passphrase,
        work_factor: Some(2),
    };
    let mut writer = seal_stream(Vec::new(), &recipients).expect("a vector");
    writer.write_all(b"backup").expect("a vector");
    let sealed = writer.finish().expect("a vector");
    let reader = open_stream(
        io::Cursor::new(sealed.clone()),
        &Identities::Passphrase(&passphrase),
    );
    let mut reader: Box<dyn Read + Send> = Box::new(reader.expect("opened"));
    let mut text = String::new();
    reader.read_to_string(&mut text).expect("whole");
    assert_eq!(text, "backup");

    let wrong = SecretBytes::new(b"battery staple".to_vec());
    let error = open_stream(&sealed[..], &Identities::Passphrase(&wrong)).err();
    assert_eq!(error, Some(PassphraseError::WrongPassphrase));
}

#[test]
fn a_stream_that_is_cut_short_never_ends() {
    let person = Person::new();
    for len in [0, CHUNK, LEN] {
        let sealed = person.seal(&plaintext(len));
        let bounds = (1..=4).map(|chunks| sealed.len().saturating_sub(chunks * (CHUNK + 16)));
        for cut in (0..sealed.len())
            .step_by(1000)
            .chain(sealed.len() - 20..sealed.len())
            .chain(bounds)
        {
            assert!(person.open(&sealed[..cut]).is_err(), "{len} cut at {cut}");
        }
    }
}

/// Every bound between two chunks in turn, header included: whole chunks that are missing.
#[test]
fn a_stream_cut_between_two_chunks_never_ends() {
    let person = Person::new();
    let plaintext = plaintext(3 * CHUNK);
    let sealed = person.seal(&plaintext);
    let header = sealed.len() - 3 * (CHUNK + 16);
    for chunks in 0..3 {
        let cut = header + chunks * (CHUNK + 16);
        assert!(person.open(&sealed[..cut]).is_err(), "{chunks} chunks");
    }
    let swapped = [
        &sealed[..header],
        &sealed[header + CHUNK + 16..header + 2 * (CHUNK + 16)],
        &sealed[header..header + CHUNK + 16],
        &sealed[header + 2 * (CHUNK + 16)..],
    ];
    assert!(person.open(&swapped.concat()).is_err(), "chunks swapped");
}

#[test]
fn a_changed_byte_is_refused() {
    let person = Person::new();
    let sealed = person.seal(&plaintext(LEN));
    for at in (0..sealed.len()).step_by(997).chain([sealed.len() - 1]) {
        let mut changed = sealed.clone();
        changed[at] ^= 1;
        assert!(person.open(&changed).is_err(), "byte {at}");
    }
}

#[test]
fn appended_bytes_are_refused() {
    let person = Person::new();
    for len in [0, CHUNK, LEN] {
        let sealed = person.seal(&plaintext(len));
        for more in [&b"\n"[..], &[0; 16], &vec![0; CHUNK + 16], &sealed] {
            let longer = [&sealed, more].concat();
            assert!(person.open(&longer).is_err(), "{len} and {}", more.len());
        }
    }
}

#[test]
fn a_stream_that_was_not_finished_does_not_open() {
    let person = Person::new();
    let mut sealed = Vec::new();
    let recipients = Recipients::Keys(&person.recipients);
    let mut writer = seal_stream(&mut sealed, &recipients).expect("a vector");
    writer.write_all(&plaintext(LEN)).expect("a vector");
    writer.flush().expect("a vector");
    drop(writer);
    assert!(sealed.len() > CHUNK);
    assert!(person.open(&sealed).is_err());
}

/// Fails once, at the write that would pass `limit`, and then has room again.
struct FailsOnce {
    written: usize,
    limit: usize,
}

impl Write for FailsOnce {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.written + bytes.len() > self.limit {
            self.limit = usize::MAX;
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.written += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn after_a_failed_write_nothing_is_finished() {
    let person = Person::new();
    let recipients = Recipients::Keys(&person.recipients);
    let out = FailsOnce {
        written: 0,
        limit: CHUNK,
    };
    let mut writer = seal_stream(out, &recipients).expect("room for the header");
    let error = writer.write_all(&plaintext(LEN)).expect_err("no room");
    assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    assert!(writer.write_all(b"more").is_err());
    assert!(writer.flush().is_err());
    assert!(writer.finish().is_err());
}

#[test]
fn a_header_has_a_bound_and_armor_has_no_place() {
    let person = Person::new();
    let identities = Identities::Keys(&person.identity);
    let endless = b"age-encryption.org/v1\n".chain(io::repeat(b'x'));
    let error = open_stream(endless, &identities).err().expect("refused");
    assert!(error.to_string().contains("64 KiB"), "{error}");
    let armored = &b"-----BEGIN AGE ENCRYPTED FILE-----\nYWdl\n"[..];
    assert!(open_stream(armored, &identities).is_err());
}
