//! The vectors printed in the specifications.

use ::chacha20poly1305::{ChaCha20Poly1305, aead::Aead as _, aead::Payload};

use super::*;

const SUNSCREEN: &[u8] =
    b"Ladies and Gentlemen of the class of '99: If I could offer you only one \
    tip for the future, sunscreen would be it.";

fn sunscreen_key() -> [u8; 32] {
    array(&(0x80..0xA0).collect::<Vec<u8>>())
}

fn sunscreen_data() -> Vec<u8> {
    hex("50515253 c0c1c2c3 c4c5c6c7")
}

/// RFC 8439, section 2.8.2: the cipher and MAC under the extended-nonce construction.
#[test]
fn chacha20_poly1305_rfc_8439() {
    let nonce: [u8; 12] = array(&hex("07000000 40414243 44454647"));
    let sealed = hex(
        "d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d6
        3dbea45e8ca9671282fafb69da92728b1a71de0a9e060b2905d6a5b67ecd3b36
        92ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc
        3ff4def08e4b7a9de576d26586cec64b6116
        1ae10b594f09e26a7e902ecbd0600691",
    );
    let cipher = ChaCha20Poly1305::new(&sunscreen_key().into());
    let aad = &sunscreen_data();
    let written = cipher.encrypt(
        &nonce.into(),
        Payload {
            msg: SUNSCREEN,
            aad,
        },
    );
    assert_eq!(written.expect("short"), sealed);
    let opened = cipher.decrypt(&nonce.into(), Payload { msg: &sealed, aad });
    assert_eq!(opened.expect("authentic"), SUNSCREEN);
}

/// draft-irtf-cfrg-xchacha-03, appendix A.3.1, through the functions the envelope calls.
#[test]
fn xchacha20_poly1305_draft_03() {
    let nonce = array(&(0x40..0x58).collect::<Vec<u8>>());
    let sealed = hex(
        "bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb
        731c7f1b0b4aa6440bf3a82f4eda7e39ae64c6708c54c216cb96b72e1213b452
        2f8c9ba40db5d945b11b69b982c1bb9e3f3fac2bc369488f76b2383565d3fff9
        21f9664c97637da9768812f615c68b13b52e",
    );
    let tag = array(&hex("c0875924c1c7987947deafd8780acf49"));
    let mut buffer = SUNSCREEN.to_vec();
    let written = seal_in_place(&sunscreen_key(), &nonce, &sunscreen_data(), &mut buffer);
    assert_eq!((buffer.as_slice(), written), (sealed.as_slice(), Some(tag)));
    open_in_place(
        &sunscreen_key(),
        &nonce,
        &sunscreen_data(),
        &mut buffer,
        &tag,
    )
    .expect("authentic");
    assert_eq!(buffer, SUNSCREEN);
}

/// A caller that ignores the refusal must not find plaintext in its buffer.
#[test]
fn a_refused_buffer_is_left_sealed() {
    let (key, nonce) = ([1; KEY_LEN], [2; NONCE_LEN]);
    let mut buffer = SUNSCREEN.to_vec();
    let mut tag = seal_in_place(&key, &nonce, b"", &mut buffer).expect("short");
    let sealed = buffer.clone();
    tag[0] ^= 1;
    assert_eq!(open_in_place(&key, &nonce, b"", &mut buffer, &tag), None);
    assert_eq!(buffer, sealed);
}

/// RFC 5869, appendix A.1 to A.3. Their inputs are not 32 bytes long, as ours always are, so these
/// ask the crate beneath; Wycheproof's vectors ask our function.
#[test]
fn hkdf_sha256_rfc_5869() {
    let range = |from: u8, to: u8| (from..=to).collect::<Vec<u8>>();
    let cases = [
        (
            vec![0x0B; 22],
            range(0x00, 0x0C),
            range(0xF0, 0xF9),
            "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865",
        ),
        (
            range(0x00, 0x4F),
            range(0x60, 0xAF),
            range(0xB0, 0xFF),
            "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c
             59045a99cac7827271cb41c65e590e09da3275600c2f09b8367793a9aca3db71
             cc30c58179ec3e87c14c01d5c1f3434f1d87",
        ),
        (
            vec![0x0B; 22],
            Vec::new(),
            Vec::new(),
            "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8",
        ),
    ];
    for (input, salt, info, expected) in cases {
        let expected = hex(expected);
        let mut output = vec![0; expected.len()];
        let hkdf = Hkdf::<Sha256>::new(Some(&salt), &input);
        hkdf.expand(&info, &mut output)
            .expect("below 255 × 32 bytes");
        assert_eq!(output, expected);
    }
}

/// Each output depends on its own info string alone, not on those beside it.
#[test]
fn hkdf_outputs_are_those_of_separate_calls() {
    let (key, salt) = ([7; KEY_LEN], [8; NONCE_LEN]);
    let [one, two] = hkdf_sha256(&key, &salt, [b"one", b"two"]);
    assert_ne!(one, two);
    assert_eq!([two, one], hkdf_sha256(&key, &salt, [b"two", b"one"]));
}

/// FIPS 180-4 as its example values print it, of one block, of two, and of nothing.
#[test]
fn sha256_fips_180_4() {
    for (input, expected) in [
        (
            "",
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        ),
        (
            "abc",
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        ),
        (
            "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
        ),
    ] {
        assert_eq!(
            sha256(input.as_bytes()).as_slice(),
            hex(expected),
            "{input}"
        );
    }
}

const BLAKE3_KEY: &[u8; 32] = b"whats the Elvish word for friend";

/// The keyed vectors that BLAKE3's authors publish (`test_vectors.json`): below, at and above the
/// chunk of 1024 bytes.
#[test]
fn blake3_keyed_vectors() {
    let empty = "92b2b75604ed3c761f9d6f62392c8a9227ad0ea3f09573e783f1498a4ed60d26";
    // No part, no length: the one published vector that fits our shape.
    assert_eq!(keyed_hash(BLAKE3_KEY, &[]).as_slice(), hex(empty));
    for (len, expected) in [
        (0, empty),
        (
            1,
            "6d7878dfff2f485635d39013278ae14f1454b8c0a3a2d34bc1ab38228a80c95b",
        ),
        (
            1023,
            "c951ecdf03288d0fcc96ee3413563d8a6d3589547f2c2fb36d9786470f1b9d6e",
        ),
        (
            1024,
            "75c46f6f3d9eb4f55ecaaee480db732e6c2105546f1e675003687c31719c7ba4",
        ),
        (
            1025,
            "357dc55de0c7e382c900fd6e320acc04146be01db6a8ce7210b7189bd664ea69",
        ),
        (
            4097,
            "00df940cd36bb9fa7cbbc3556744e0dbc8191401afe70520ba292ee3ca80abbc",
        ),
    ] {
        let input: Vec<u8> = (0..251).cycle().take(len).collect();
        assert_eq!(
            blake3::keyed_hash(BLAKE3_KEY, &input).as_bytes().as_slice(),
            hex(expected)
        );
    }
}

/// Our own shape over it: each part after its length, as the on-disk names need it for ever.
#[test]
fn keyed_hash_frames_its_parts() {
    let framed = b"\x02\0\0\0\0\0\0\0ab\0\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0c";
    let expected: [u8; 32] = blake3::keyed_hash(BLAKE3_KEY, framed).into();
    assert_eq!(keyed_hash(BLAKE3_KEY, &[b"ab", b"", b"c"]), expected);
}

#[test]
fn equality_is_that_of_slices() {
    assert!(equal(b"", b""));
    assert!(equal(b"same", b"same"));
    for (left, right) in [(&b"same"[..], &b"sama"[..]), (b"same", b"sam"), (b"", b"s")] {
        assert!(!equal(left, right));
    }
}

/// The Galois/Counter Mode of Operation (`McGrew` and Viega), test case 16, which NIST took over.
#[test]
fn aes_256_gcm_test_case_16() {
    let key = array(&hex(
        "feffe9928665731c6d6a8f9467308308 feffe9928665731c6d6a8f9467308308",
    ));
    let nonce = array(&hex("cafebabefacedbaddecaf888"));
    let data = hex("feedfacedeadbeeffeedfacedeadbeef abaddad2");
    let content = hex(
        "d9313225f88406e5a55909c5aff5269a 86a7a9531534f7da2e4c303d8a318a72
        1c3c0c95956809532fcf0e2449a6b525 b16aedf5aa0de657ba637b39",
    );
    let sealed = hex(
        "522dc1f099567d07f47f37a32a84427d 643a8cdcbfe5c0c97598a2bd2555d1aa
        8cb08e48590dbb3da7b08b1056828838 c5f61e6393ba7a0abcc9f662",
    );
    let tag = array(&hex("76fc6ece0f4e1768cddf8853bb2d551b"));
    let mut buffer = content.clone();
    let written = seal_aes_gcm(&key, &nonce, &data, &mut buffer);
    assert_eq!((&buffer, written), (&sealed, Some(tag)));
    let opened = open_aes_gcm(&key, &nonce, &data, &mut buffer, &tag);
    assert_eq!((opened, buffer), (Some(()), content));
}

/// RFC 4231, sections 4.2 and 4.3. HMAC fills a short key up with zeros, so they may stand there.
#[test]
fn hmac_sha256_rfc_4231() {
    let key = |short: &[u8]| {
        let mut key = [0; KEY_LEN];
        key[..short.len()].copy_from_slice(short);
        key
    };
    let expected = hex("b0344c61d8db38535ca8afceaf0bf12b 881dc200c9833da726e9376c2e32cff7");
    let signed = hmac_sha256(&key(&[0x0B; 20]), b"Hi There");
    assert_eq!(signed.as_slice(), expected);
    let expected = hex("5bdcc146bf60754e6a042426089575c7 5a003f089d2739839dec58b964ec3843");
    let signed = hmac_sha256(&key(b"Jefe"), b"what do ya want for nothing?");
    assert_eq!(signed.as_slice(), expected);
}
