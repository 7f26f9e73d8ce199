//! One function per primitive, each naming its specification and why its use here is safe.

use chacha20poly1305::{
    KeyInit as _, XChaCha20Poly1305, aead::AeadInOut as _, aead::inout::InOutBuf,
};
use hkdf::Hkdf;
use hmac::{Hmac, Mac as _};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use sha2::Sha256;
use zeroize::Zeroizing;

/// Length of a key, in bytes.
pub(crate) const KEY_LEN: usize = 32;
/// Length of an `XChaCha20` nonce, in bytes. Long enough that random nonces do not collide.
pub(crate) const NONCE_LEN: usize = 24;
/// Length of a nonce that is stored with each part it seals, in bytes: what AES-GCM takes.
pub(crate) const STORED_NONCE_LEN: usize = 12;
/// How much of the stack is overwritten after a key was made on it, in bytes: several times what
/// HKDF uses.
pub(crate) const SCRUBBED: usize = 16 << 10;
/// The same for a cipher's key: several times what ring uses.
const CIPHER_SCRUBBED: usize = 8 << 10;
/// Length of a Poly1305 tag, in bytes.
pub(crate) const TAG_LEN: usize = 16;

/// A derived key: lives for one seal or open.
pub(crate) type Derived = Zeroizing<[u8; KEY_LEN]>;

/// The operating system refused to give random bytes.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the operating system's random source failed: {0}")]
pub struct RandomError(String);

/// Fills `bytes` from the operating system (`getrandom(2)` and its kin), which is the only source
/// of keys, nonces and identifiers in vaultd.
pub(crate) fn fill_random(bytes: &mut [u8]) -> Result<(), RandomError> {
    getrandom::fill(bytes).map_err(|error| RandomError(error.to_string()))
}

/// HKDF-SHA-256, RFC 5869: one extraction, then one 32-byte output for each info string.
///
/// Safe because the input is a uniform 32-byte key and the info strings are distinct constants.
pub(crate) fn hkdf_sha256<const OUTPUTS: usize>(
    input: &[u8; KEY_LEN],
    salt: &[u8],
    infos: [&[u8]; OUTPUTS],
) -> [Derived; OUTPUTS] {
    let hkdf = Hkdf::<Sha256>::new(Some(salt), input);
    infos.map(|info| {
        let mut output = Zeroizing::new([0; KEY_LEN]);
        hkdf.expand(info, output.as_mut())
            .expect("32 bytes are below HKDF's limit of 255 × 32");
        output
    })
}

/// HKDF-SHA-256 into a place that does not move: a key that is to live on is else copied over the
/// stack on its way, and the copies stay there.
#[inline(never)]
pub(crate) fn hkdf_sha256_into(
    input: &[u8; KEY_LEN],
    salt: &[u8],
    info: &[u8],
    output: &mut [u8; KEY_LEN],
) {
    Hkdf::<Sha256>::new(Some(salt), input)
        .expand(info, output)
        .expect("32 bytes are below HKDF's limit of 255 × 32");
}

/// Overwrites what calls that have returned left on the stack, as far down as `SIZE` bytes: hash
/// functions hand their results on by value, ciphers open several blocks at once, and each copy would
/// stay there until another call happens to need the room.
#[inline(never)]
pub fn scrub_stack<const SIZE: usize>() {
    let mut room = [0u8; SIZE];
    zeroize::Zeroize::zeroize(&mut room);
    std::hint::black_box(&room);
}

/// XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03), sealing `buffer` in place; returns the tag.
///
/// Safe because every key handed in is derived for one nonce and one part of one object, so that
/// no (key, nonce) pair seals twice. Fails only above 256 GiB.
pub(crate) fn seal_in_place(
    key: &[u8; KEY_LEN],
    nonce: &[u8; NONCE_LEN],
    associated_data: &[u8],
    buffer: &mut [u8],
) -> Option<[u8; TAG_LEN]> {
    XChaCha20Poly1305::new(key.into())
        .encrypt_inout_detached(nonce.into(), associated_data, InOutBuf::from(buffer))
        .ok()
        .map(Into::into)
}

/// The inverse of [`seal_in_place`]; `None`, with `buffer` unchanged, where the tag does not fit.
pub(crate) fn open_in_place(
    key: &[u8; KEY_LEN],
    nonce: &[u8; NONCE_LEN],
    associated_data: &[u8],
    buffer: &mut [u8],
    tag: &[u8; TAG_LEN],
) -> Option<()> {
    XChaCha20Poly1305::new(key.into())
        .decrypt_inout_detached(
            nonce.into(),
            associated_data,
            InOutBuf::from(buffer),
            tag.into(),
        )
        .ok()
}

/// [`seal_in_place`] under a stored nonce of 12 bytes, which ends the 24 that `XChaCha20` takes.
///
/// Safe because whoever calls draws the nonce at random and seals at most 2^32 parts under one key.
pub(crate) fn seal_short_nonce(
    key: &[u8; KEY_LEN],
    nonce: &[u8; STORED_NONCE_LEN],
    associated_data: &[u8],
    buffer: &mut [u8],
) -> Option<[u8; TAG_LEN]> {
    seal_in_place(key, &extended(nonce), associated_data, buffer)
}

/// The inverse of [`seal_short_nonce`].
pub(crate) fn open_short_nonce(
    key: &[u8; KEY_LEN],
    nonce: &[u8; STORED_NONCE_LEN],
    associated_data: &[u8],
    buffer: &mut [u8],
    tag: &[u8; TAG_LEN],
) -> Option<()> {
    open_in_place(key, &extended(nonce), associated_data, buffer, tag)
}

fn extended(nonce: &[u8; STORED_NONCE_LEN]) -> [u8; NONCE_LEN] {
    let mut bytes = [0; NONCE_LEN];
    bytes[NONCE_LEN - STORED_NONCE_LEN..].copy_from_slice(nonce);
    bytes
}

/// AES-256-GCM (NIST SP 800-38D) with nonces of 96 bits, sealing `buffer` in place; returns the tag.
///
/// Safe because whoever calls draws the nonce at random and seals at most 2^32 parts under one key,
/// which is the bound of section 8.3. Fails only above 64 GiB.
pub(crate) fn seal_aes_gcm(
    key: &[u8; KEY_LEN],
    nonce: &[u8; STORED_NONCE_LEN],
    associated_data: &[u8],
    buffer: &mut [u8],
) -> Option<[u8; TAG_LEN]> {
    with_aes_gcm(key, |cipher| {
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let tag = cipher.seal_in_place_separate_tag(nonce, Aad::from(associated_data), buffer);
        tag.ok()?.as_ref().try_into().ok()
    })
}

/// The inverse of [`seal_aes_gcm`]; `None`, with `buffer` wiped, where the tag does not fit.
pub(crate) fn open_aes_gcm(
    key: &[u8; KEY_LEN],
    nonce: &[u8; STORED_NONCE_LEN],
    associated_data: &[u8],
    buffer: &mut [u8],
    tag: &[u8; TAG_LEN],
) -> Option<()> {
    with_aes_gcm(key, |cipher| {
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let data = Aad::from(associated_data);
        let opened = cipher.open_in_place_separate_tag(nonce, data, (*tag).into(), buffer, 0..);
        opened.ok().map(|_| ())
    })
}

/// Runs `work` with the cipher of a key, and leaves nothing of either behind: ring wipes no key.
fn with_aes_gcm<T>(key: &[u8; KEY_LEN], work: impl FnOnce(&LessSafeKey) -> Option<T>) -> Option<T> {
    #[inline(never)]
    fn run<T>(key: &[u8; KEY_LEN], work: impl FnOnce(&LessSafeKey) -> Option<T>) -> Option<T> {
        let key = UnboundKey::new(&AES_256_GCM, key).ok()?;
        work(&LessSafeKey::new(key))
    }
    let done = run(key, work);
    scrub_stack::<CIPHER_SCRUBBED>();
    done
}

/// Whether the CPU has instructions for AES and for carry-less multiplication, which the AES-GCM in
/// use then takes.
pub(crate) fn has_fast_aes() -> bool {
    #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
    return std::arch::is_x86_feature_detected!("aes")
        && std::arch::is_x86_feature_detected!("pclmulqdq");
    #[cfg(target_arch = "aarch64")]
    return std::arch::is_aarch64_feature_detected!("aes")
        && std::arch::is_aarch64_feature_detected!("pmull");
    #[cfg(not(any(target_arch = "x86", target_arch = "x86_64", target_arch = "aarch64")))]
    return false;
}

/// BLAKE3 in keyed mode (BLAKE3 paper, section 2.2): a MAC, used for names.
pub(crate) fn keyed_hash(key: &[u8; KEY_LEN], parts: &[&[u8]]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new_keyed(key);
    for part in parts {
        // A length before each part keeps ("ab", "c") apart from ("a", "bc").
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    hasher.finalize().into()
}

/// SHA-256, FIPS 180-4: content hashes, never of secrets that a guess could confirm in the clear.
pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    use sha2::Digest as _;
    Sha256::digest(bytes).into()
}

/// [`sha256`] of what comes in pieces.
#[derive(Clone, Default)]
pub(crate) struct Sha256Stream(Sha256);

impl Sha256Stream {
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        use sha2::Digest as _;
        self.0.update(bytes);
    }

    pub(crate) fn finish(self) -> [u8; 32] {
        use sha2::Digest as _;
        self.0.finalize().into()
    }
}

/// HMAC-SHA-256 (RFC 2104, FIPS 198-1): a MAC, used to sign cookies.
pub(crate) fn hmac_sha256(key: &[u8; KEY_LEN], message: &[u8]) -> [u8; 32] {
    // Named, since an AEAD is made by a trait of the same shape.
    let mut mac = <Hmac<Sha256> as hmac::KeyInit>::new_from_slice(key)
        .expect("HMAC takes a key of any length");
    mac.update(message);
    mac.finalize().into_bytes().into()
}

/// Compares in constant time.
pub(crate) fn equal(left: &[u8], right: &[u8]) -> bool {
    use subtle::ConstantTimeEq as _;
    left.ct_eq(right).into()
}

#[cfg(test)]
mod tests;
