//! An envelope opens under one key only, even one made to open under two.
//!
//! Poly1305 does not commit to its key: whoever knows two keys can choose ciphertext whose tag is
//! the same under both (Dodis, Grubbs, Ristenpart, Woodage, "Fast message franking", CRYPTO 2018;
//! Len, Grubbs, Ristenpart, "Partitioning oracle attacks", USENIX Security 2021). The first test
//! does so against the bare cipher, for both parts. The commitment is what refuses the result.

use chacha20::{
    XChaCha20,
    cipher::{KeyIvInit as _, StreamCipher as _},
};
use num_bigint::BigUint;

use super::*;

const NONCE: [u8; NONCE_LEN] = [0xC0; NONCE_LEN];
/// One block to vary and one to solve for.
const CRAFTED_LEN: usize = 32;

/// The one-time Poly1305 key of XChaCha20-Poly1305: the first 32 bytes of keystream block 0.
struct OneTimeKey {
    r: BigUint,
    s: BigUint,
}

impl OneTimeKey {
    fn new(key: &[u8; 32], nonce: &[u8; NONCE_LEN]) -> Self {
        let mut bytes = [0; 32];
        XChaCha20::new(key.into(), nonce.into()).apply_keystream(&mut bytes);
        // The clamp of RFC 8439, section 2.5.
        for at in [3, 7, 11, 15] {
            bytes[at] &= 0x0F;
        }
        for at in [4, 8, 12] {
            bytes[at] &= 0xFC;
        }
        Self {
            r: BigUint::from_bytes_le(&bytes[..16]),
            s: BigUint::from_bytes_le(&bytes[16..]),
        }
    }

    /// The polynomial over `blocks`, first block with the highest power, modulo `prime`.
    fn polynomial(&self, blocks: &[BigUint], prime: &BigUint) -> BigUint {
        blocks
            .iter()
            .fold(BigUint::ZERO, |sum, block| (sum + block) * &self.r % prime)
    }
}

/// The blocks Poly1305 sees (RFC 8439, section 2.8), each with its bit above the 16 bytes.
fn mac_blocks(associated_data: &[u8], ciphertext: &[u8]) -> Vec<BigUint> {
    let mut input = Vec::new();
    for part in [associated_data, ciphertext] {
        input.extend_from_slice(part);
        input.resize(input.len().next_multiple_of(16), 0);
    }
    input.extend_from_slice(&(associated_data.len() as u64).to_le_bytes());
    input.extend_from_slice(&(ciphertext.len() as u64).to_le_bytes());
    let top = BigUint::from(1_u8) << 128;
    input
        .chunks(16)
        .map(|block| BigUint::from_bytes_le(block) + &top)
        .collect()
}

/// Ciphertext with one tag under both keys. Solves
/// `a1 + x r1^e + s1 = a2 + x r2^e + s2 (mod 2^130 - 5)` for the last ciphertext block `x`, until
/// `x` is a block and neither sum wraps around before it is cut to 128 bits.
fn craft(keys: [&[u8; 32]; 2], associated_data: &[u8]) -> ([u8; CRAFTED_LEN], [u8; TAG_LEN]) {
    let prime = (BigUint::from(1_u8) << 130) - 5_u8;
    let [one, two] = keys.map(|key| OneTimeKey::new(key, &NONCE));
    // After the solved block comes the block of lengths alone, so its power is 2.
    let difference =
        (one.r.modpow(&2_u8.into(), &prime) + &prime - two.r.modpow(&2_u8.into(), &prime)) % &prime;
    let inverse = difference.modinv(&prime).expect("the two keys differ");
    for varied in 0..1000_u64 {
        let mut ciphertext = [0; CRAFTED_LEN];
        ciphertext[..8].copy_from_slice(&varied.to_le_bytes());
        let mut blocks = mac_blocks(associated_data, &ciphertext);
        let solved_at = blocks.len() - 2;
        blocks[solved_at] = BigUint::ZERO;
        let right = two.polynomial(&blocks, &prime) + &two.s;
        let left = one.polynomial(&blocks, &prime) + &one.s;
        // Both sides are below 2 primes, so this does not fall below zero.
        let x = (right + &prime + &prime - left) * &inverse % &prime;
        if x.bits() != 129 {
            continue;
        }
        let bytes = x.to_bytes_le();
        ciphertext[16..].copy_from_slice(&bytes[..16]);
        let tags = keys.map(|key| tag(key, associated_data, &ciphertext));
        if tags[0] == tags[1] {
            return (ciphertext, tags[0]);
        }
    }
    unreachable!("about one try in eight succeeds")
}

/// The tag of `ciphertext` under `key`: sealing zeroes gives the keystream, and sealing the
/// plaintext it leads to gives the tag.
fn tag(key: &[u8; 32], associated_data: &[u8], ciphertext: &[u8]) -> [u8; TAG_LEN] {
    let mut buffer = vec![0; ciphertext.len()];
    primitives::seal_in_place(key, &NONCE, b"", &mut buffer).expect("short");
    for (byte, sealed) in buffer.iter_mut().zip(ciphertext) {
        *byte ^= sealed;
    }
    let tag = primitives::seal_in_place(key, &NONCE, associated_data, &mut buffer).expect("short");
    assert_eq!(buffer, ciphertext);
    tag
}

/// An envelope whose `part` the bare cipher opens under the keys derived from both data keys. It
/// carries the commitment to `keys[owner]`.
fn crafted_envelope(keys: [&DataKey; 2], owner: usize, part: u8, info: &[u8]) -> Vec<u8> {
    let [commitment, metadata_key, body_key] = primitives::hkdf_sha256(
        keys[owner].expose(),
        &NONCE,
        [COMMITMENT_INFO, METADATA_INFO, BODY_INFO],
    );
    let header = Header::new(
        KEY_ID,
        ADDRESS.revision,
        &NONCE,
        commitment.as_ref(),
        CRAFTED_LEN,
        CRAFTED_LEN,
    );
    let header = header.expect("within the limits");
    let mut envelope = header.bytes.to_vec();
    for (each, own_key) in [(PART_METADATA, &metadata_key), (PART_BODY, &body_key)] {
        let associated_data = header.associated_data(&ADDRESS, each);
        if each == part {
            let derived = keys.map(|key| primitives::hkdf_sha256(key.expose(), &NONCE, [info]));
            let [[one], [two]] = &derived;
            let (ciphertext, tag) = craft([one, two], &associated_data);
            for key in [one, two] {
                let mut opened = ciphertext;
                primitives::open_in_place(key, &NONCE, &associated_data, &mut opened, &tag)
                    .expect("the bare cipher takes it under either key");
            }
            envelope.extend_from_slice(&ciphertext);
            envelope.extend_from_slice(&tag);
        } else {
            let mut honest = [0; CRAFTED_LEN];
            let tag = primitives::seal_in_place(own_key, &NONCE, &associated_data, &mut honest)
                .expect("short");
            envelope.extend_from_slice(&honest);
            envelope.extend_from_slice(&tag);
        }
    }
    envelope
}

#[test]
fn an_envelope_made_for_two_keys_opens_under_one_only() {
    let keys = [data_key(1), data_key(2)];
    let parts = [
        (
            PART_METADATA,
            METADATA_INFO,
            open_metadata as fn(&_, &Address<'_>, &_) -> Opened,
        ),
        (PART_BODY, BODY_INFO, open_body),
    ];
    for (part, info, open) in parts {
        for owner in [0, 1] {
            let envelope = crafted_envelope([&keys[0], &keys[1]], owner, part, info);
            assert!(open(&keys[owner], &ADDRESS, &envelope).is_ok());
            let refused = open(&keys[1 - owner], &ADDRESS, &envelope);
            assert_eq!(refused, Err(EnvelopeError::NotAuthentic));
        }
    }
}

/// A commitment swapped in later does not help either: it is part of the associated data.
#[test]
fn the_commitment_is_authenticated() {
    let keys = [data_key(1), data_key(2)];
    let mut envelope = crafted_envelope([&keys[0], &keys[1]], 0, PART_BODY, BODY_INFO);
    let [other] = primitives::hkdf_sha256(keys[1].expose(), &NONCE, [COMMITMENT_INFO]);
    envelope[48..80].copy_from_slice(other.as_ref());
    for key in &keys {
        assert_eq!(
            open_body(key, &ADDRESS, &envelope),
            Err(EnvelopeError::NotAuthentic)
        );
    }
}
