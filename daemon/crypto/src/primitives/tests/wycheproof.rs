//! Project Wycheproof's vectors: valid ones give what they say, invalid ones are refused.
//!
//! The counts are those of the vectors at hand; fewer would mean that a file was not read.

use ::wycheproof::{TestResult, aead, hkdf};
use chacha20poly1305::{ChaCha20Poly1305, Nonce, aead::Aead as _, aead::Payload};

use super::*;

/// How many vectors were run, by whether they were to be accepted.
#[derive(Debug, Default, PartialEq, Eq)]
struct Count {
    accepted: usize,
    refused: usize,
}

impl Count {
    fn add(&mut self, expected: TestResult) {
        match expected {
            TestResult::Valid => self.accepted += 1,
            TestResult::Invalid => self.refused += 1,
            TestResult::Acceptable => panic!("these sets leave no vector to taste"),
        }
    }
}

/// Runs `seal` (to ciphertext with its tag) and `open` over a set. `None` is a refusal.
fn run_aead(
    name: aead::TestName,
    seal: impl Fn(&aead::Test) -> Option<Vec<u8>>,
    open: impl Fn(&aead::Test) -> Option<Vec<u8>>,
) -> Count {
    let set = aead::TestSet::load(name).expect("the vectors are compiled in");
    let mut count = Count::default();
    for test in set.test_groups.iter().flat_map(|group| &group.tests) {
        count.add(test.result);
        let sealed = [&test.ct[..], &test.tag[..]].concat();
        if test.result == TestResult::Valid {
            assert_eq!(seal(test), Some(sealed), "{test:?}");
            assert_eq!(open(test).as_deref(), Some(&test.pt[..]), "{test:?}");
        } else {
            assert_ne!(seal(test), Some(sealed), "{test:?}");
            assert_eq!(open(test), None, "{test:?}");
        }
    }
    count
}

#[test]
fn xchacha20_poly1305() {
    // Nonces of another length do not fit our function's type; that counts as refused.
    let sizes = |test: &aead::Test| -> Option<([u8; KEY_LEN], [u8; NONCE_LEN])> {
        Some((
            test.key[..].try_into().ok()?,
            test.nonce[..].try_into().ok()?,
        ))
    };
    let seal = |test: &aead::Test| {
        let (key, nonce) = sizes(test)?;
        let mut buffer = test.pt.to_vec();
        let tag = seal_in_place(&key, &nonce, &test.aad, &mut buffer)?;
        buffer.extend_from_slice(&tag);
        Some(buffer)
    };
    let open = |test: &aead::Test| {
        let (key, nonce) = sizes(test)?;
        let mut buffer = test.ct.to_vec();
        let tag = test.tag[..].try_into().ok()?;
        open_in_place(&key, &nonce, &test.aad, &mut buffer, &tag)?;
        Some(buffer)
    };
    let count = run_aead(aead::TestName::XChaCha20Poly1305, seal, open);
    assert_eq!(
        count,
        Count {
            accepted: 246,
            refused: 69
        }
    );
}

#[test]
fn aes_256_gcm() {
    // Keys of another length, and nonces, do not fit our function's type. Vectors of AES-128 and
    // AES-192, valid as they are, count for nothing here.
    let sizes = |test: &aead::Test| -> Option<([u8; KEY_LEN], [u8; STORED_NONCE_LEN])> {
        let key = test.key[..].try_into().ok()?;
        Some((key, test.nonce[..].try_into().ok()?))
    };
    let set = aead::TestSet::load(aead::TestName::AesGcm).expect("the vectors are compiled in");
    let mut count = Count::default();
    for test in set.test_groups.iter().flat_map(|group| &group.tests) {
        let Some((key, nonce)) = sizes(test) else {
            continue;
        };
        count.add(test.result);
        let mut buffer = test.pt.to_vec();
        let tag = seal_aes_gcm(&key, &nonce, &test.aad, &mut buffer).expect("short");
        let sealed = buffer == test.ct[..] && tag == test.tag[..];
        let mut buffer = test.ct.to_vec();
        let given = test.tag[..].try_into().expect("16 bytes");
        let opened = open_aes_gcm(&key, &nonce, &test.aad, &mut buffer, &given);
        let valid = test.result == TestResult::Valid;
        assert_eq!((sealed, opened.is_some()), (valid, valid), "{test:?}");
        let wiped = vec![0; test.ct.len()];
        let expected = if valid { &test.pt[..] } else { &wiped };
        assert_eq!(buffer, expected, "{test:?}");
    }
    assert_eq!(
        count,
        Count {
            accepted: 39,
            refused: 27
        }
    );
}

#[test]
fn chacha20_poly1305() {
    let parts = |test: &aead::Test| -> Option<(ChaCha20Poly1305, Nonce)> {
        let key: [u8; KEY_LEN] = test.key[..].try_into().ok()?;
        let nonce: [u8; 12] = test.nonce[..].try_into().ok()?;
        Some((ChaCha20Poly1305::new(&key.into()), nonce.into()))
    };
    let seal = |test: &aead::Test| {
        let (cipher, nonce) = parts(test)?;
        cipher
            .encrypt(
                &nonce,
                Payload {
                    msg: &test.pt,
                    aad: &test.aad,
                },
            )
            .ok()
    };
    let open = |test: &aead::Test| {
        let (cipher, nonce) = parts(test)?;
        let sealed = [&test.ct[..], &test.tag[..]].concat();
        cipher
            .decrypt(
                &nonce,
                Payload {
                    msg: &sealed,
                    aad: &test.aad,
                },
            )
            .ok()
    };
    let count = run_aead(aead::TestName::ChaCha20Poly1305, seal, open);
    assert_eq!(
        count,
        Count {
            accepted: 256,
            refused: 69
        }
    );
}

#[test]
fn hkdf_sha256_vectors() {
    let set = hkdf::TestSet::load(hkdf::TestName::HkdfSha256).expect("compiled in");
    let mut count = Count::default();
    let mut through_ours = 0;
    for test in set.test_groups.iter().flat_map(|group| &group.tests) {
        count.add(test.result);
        let mut output = vec![0; test.size];
        let expanded =
            Hkdf::<Sha256>::new(Some(&test.salt), &test.ikm).expand(&test.info, &mut output);
        assert_eq!(
            expanded.is_ok(),
            test.result == TestResult::Valid,
            "{test:?}"
        );
        if test.result == TestResult::Invalid {
            continue;
        }
        assert_eq!(output, test.okm[..], "{test:?}");
        // Ours takes a 32-byte input and gives 32 bytes; a longer or shorter output of the
        // same expansion begins with the same bytes.
        if let Ok(input) = <&[u8; KEY_LEN]>::try_from(&test.ikm[..]) {
            let [ours] = hkdf_sha256(input, &test.salt, [&test.info[..]]);
            let common = test.size.min(KEY_LEN);
            assert_eq!(ours[..common], test.okm[..common], "{test:?}");
            through_ours += 1;
        }
    }
    assert_eq!(
        count,
        Count {
            accepted: 83,
            refused: 3
        }
    );
    assert_eq!(through_ours, 36);
}
