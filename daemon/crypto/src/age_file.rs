//! The two calls into age v1 (<https://c2sp.org/age>) that every sealed file of ours goes through:
//! key files, key exports and backups.
//!
//! age authenticates the header with the file key and every 64 KiB of the payload with its position
//! and whether it is the last, so that nothing can be cut off or appended unnoticed. Its payload
//! writer keeps up to 64 KiB of plaintext in a buffer that it does not zero; its reader's is zeroed.

use std::io::{BufRead, Chain, Cursor, Read, Write};

use age::{
    DecryptError, Decryptor, EncryptError, Encryptor,
    stream::{StreamReader, StreamWriter},
};
use zeroize::Zeroizing;

use crate::{
    passphrase::PassphraseError,
    recipients::{Identities, Recipients},
};

/// Longest header read, in bytes. age itself reads on until a header ends.
const MAX_HEADER: usize = 64 << 10;

/// The plaintext of a sealed file, as it is opened.
pub(crate) type Opened<R> = StreamReader<Chain<Cursor<Vec<u8>>, R>>;

/// Writes the header for `recipients` to `out`; what is written to the result is sealed. Nothing is
/// valid until the result is finished.
pub(crate) fn seal<W: Write>(
    out: W,
    recipients: &Recipients<'_>,
) -> Result<StreamWriter<W>, PassphraseError> {
    let recipients = recipients.resolve()?;
    let recipients = recipients.iter().map(AsRef::as_ref);
    let encryptor = Encryptor::with_recipients(recipients).map_err(not_sealed)?;
    Ok(encryptor.wrap_output(out)?)
}

/// Reads the header and finds the key; the payload is authenticated as it is read.
pub(crate) fn open<R: BufRead>(
    mut input: R,
    identities: &Identities<'_>,
) -> Result<Opened<R>, PassphraseError> {
    let header = read_header(&mut input)?;
    let input = Cursor::new(header).chain(input);
    let decryptor = Decryptor::new_buffered(input).map_err(|error| match error {
        DecryptError::Io(error) => error.into(),
        other => PassphraseError::Damaged(other.to_string()),
    })?;
    let resolved = identities.resolve()?;
    let by_passphrase = matches!(identities, Identities::Passphrase(_));
    let identities = resolved.identities.iter().map(AsRef::as_ref);
    decryptor.decrypt(identities).map_err(|error| match error {
        DecryptError::DecryptionFailed if by_passphrase => PassphraseError::WrongPassphrase,
        DecryptError::NoMatchingKeys => resolved.otherwise,
        other => not_opened(other),
    })
}

/// Seals `plaintext` whole.
pub(crate) fn seal_bytes(
    plaintext: &[u8],
    recipients: &Recipients<'_>,
) -> Result<Vec<u8>, PassphraseError> {
    let mut writer = seal(Vec::new(), recipients)?;
    writer.write_all(plaintext)?;
    Ok(writer.finish()?)
}

/// Opens a file that holds at most `limit` bytes.
pub(crate) fn open_bytes(
    file: impl BufRead,
    identities: &Identities<'_>,
    limit: usize,
) -> Result<Zeroizing<Vec<u8>>, PassphraseError> {
    let mut reader = open(file, identities)?;
    // Sized beforehand, since a growing buffer would leave unzeroed copies behind; a byte more than
    // the limit, so that what is longer is noticed.
    let mut plaintext = Zeroizing::new(vec![0; limit + 1]);
    let mut len = 0;
    while len <= limit {
        match reader.read(&mut plaintext[len..])? {
            0 => {
                plaintext.truncate(len);
                return Ok(plaintext);
            }
            read => len += read,
        }
    }
    let text = format!("it holds more than {limit} bytes");
    Err(PassphraseError::Damaged(text))
}

/// The header up to its last line, which begins with `---`. What is no header at all is left for
/// age to say.
fn read_header(input: &mut impl BufRead) -> Result<Vec<u8>, PassphraseError> {
    let mut header = Vec::new();
    let mut input = input.take(MAX_HEADER as u64);
    loop {
        let line = header.len();
        let read = input.read_until(b'\n', &mut header)?;
        if read == 0 || header[line..].starts_with(b"---") {
            break;
        }
    }
    if header.len() == MAX_HEADER {
        let text = format!("its header is longer than {} KiB", MAX_HEADER >> 10);
        return Err(PassphraseError::Damaged(text));
    }
    Ok(header)
}

fn not_sealed(error: EncryptError) -> PassphraseError {
    PassphraseError::Plugin(match error {
        EncryptError::Plugin(errors) => plugin_text(&errors),
        // Native recipients alone do not fail here: their labels agree and they do no I/O.
        other => other.to_string(),
    })
}

fn not_opened(error: DecryptError) -> PassphraseError {
    match error {
        DecryptError::ExcessiveWork { required, .. } => PassphraseError::TooMuchWork(required),
        DecryptError::Plugin(errors) => PassphraseError::Plugin(plugin_text(&errors)),
        // Of the connection to a plug-in: the input was read before.
        DecryptError::Io(error) => PassphraseError::Plugin(error.to_string()),
        other => PassphraseError::Damaged(other.to_string()),
    }
}

/// One line. What a plug-in said may hold control characters, so it is escaped; the marks for
/// bidirectional text that age puts around it are left out.
fn plugin_text(errors: &[impl ToString]) -> String {
    let errors: Vec<_> = errors
        .iter()
        .map(|error| error.to_string().replace(['\u{2068}', '\u{2069}'], ""))
        .map(|error| error.escape_debug().to_string())
        .collect();
    errors.join("; ")
}
