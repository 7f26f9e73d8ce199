//! No derived key ever seals twice: every seal draws a nonce, and every nonce gives three keys.

use std::collections::HashSet;

use super::*;

const SEALS: usize = 10_000;

#[test]
fn every_seal_has_its_own_nonce_and_its_own_keys() {
    let key = data_key(1);
    let mut nonces = HashSet::new();
    let mut outputs = HashSet::new();
    for _ in 0..SEALS {
        let envelope = seal(&key, KEY_ID, &ADDRESS, b"", b"").expect("within the limits");
        let header = Header::parse(&envelope).expect("an envelope");
        let derived = primitives::hkdf_sha256(
            key.expose(),
            &header.nonce(),
            [METADATA_INFO, BODY_INFO, COMMITMENT_INFO],
        );
        assert_eq!(*derived[2], header.commitment());
        nonces.insert(header.nonce());
        outputs.extend(derived.map(|output| *output));
    }
    assert_eq!(nonces.len(), SEALS);
    // Metadata keys, body keys and commitments: none equals any other, of this seal or another.
    assert_eq!(outputs.len(), 3 * SEALS);
}
