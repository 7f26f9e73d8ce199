//! What a key file holds, who opens it, and what is refused.

use std::io::Write as _;

use age::{armor, secrecy::ExposeSecret as _, x25519};

use super::*;
use crate::{SecretBytes, passphrase};

const VAULT: VaultId = VaultId::from_bytes([0xA5; 16]);

fn storage_key() -> StorageKey {
    StorageKey::from_bytes(&[0x5A; 32]).expect("32 bytes")
}

fn secret(text: &str) -> SecretBytes {
    SecretBytes::new(text.as_bytes().to_vec())
}

fn by_passphrase(passphrase: &SecretBytes) -> Recipients<'_> {
    Recipients::Passphrase {
        passphrase,
        work_factor: Some(2),
    }
}

/// `plaintext` as `age -p` would seal it.
fn sealed(plaintext: &[u8], passphrase: &SecretBytes) -> Vec<u8> {
    age_file::seal_bytes(plaintext, &by_passphrase(passphrase)).expect("sealed")
}

fn identity_file(identities: &[&x25519::Identity]) -> SecretBytes {
    let mut file = "# created: today\n\n".to_owned();
    for identity in identities {
        file += identity.to_string().expose_secret();
        file += "\r\n";
    }
    secret(&file)
}

fn assert_is_ours(opened: &ExportedKey) {
    assert_eq!(opened.vault, Some(VAULT));
    assert_eq!(opened.key.expose(), storage_key().expose());
}

#[test]
fn the_plaintext_is_one_line_of_json() {
    let expected = format!(
        "{{\"format\":1,\"vault_id\":\"{}\",\"storage_key\":\"{}\"}}\n",
        "a5".repeat(16),
        "5a".repeat(32)
    );
    assert_eq!(*line(VAULT, &storage_key()), expected);
}

#[test]
fn an_export_opens_with_its_passphrase_only() {
    let good = secret("correct horse");
    let file = seal(VAULT, &storage_key(), &by_passphrase(&good)).expect("sealed");
    assert_is_ours(&open(&file, &Identities::Passphrase(&good)).expect("opened"));
    let header = String::from_utf8_lossy(&file);
    assert_eq!(header.matches("\n-> ").count(), 1, "scrypt stands alone");

    let error = open(&file, &Identities::Passphrase(&secret("battery"))).expect_err("refused");
    assert_eq!(error, PassphraseError::WrongPassphrase);
    let keys = identity_file(&[&x25519::Identity::generate()]);
    let error = open(&file, &Identities::Keys(&keys)).expect_err("refused");
    assert_eq!(error, PassphraseError::NoMatch);
}

#[test]
fn an_export_opens_for_each_recipient_and_nobody_else() {
    let people = [(); 3].map(|()| x25519::Identity::generate());
    let [one, two, stranger] = &people;
    let keys = [one, two].map(|person| person.to_public().to_string());
    let file = seal(VAULT, &storage_key(), &Recipients::Keys(&keys)).expect("sealed");
    for identities in [&[one][..], &[two], &[stranger, two]] {
        let keys = identity_file(identities);
        assert_is_ours(&open(&file, &Identities::Keys(&keys)).expect("opened"));
    }
    for error in [
        open(&file, &Identities::Keys(&identity_file(&[stranger]))),
        open(&file, &Identities::Keys(&secret("# nobody\n"))),
        open(&file, &Identities::Passphrase(&secret("correct horse"))),
    ] {
        assert_eq!(error.expect_err("refused"), PassphraseError::NoMatch);
    }
    // A plug-in that is not installed hinders nobody, but is named where nothing else matches.
    let plugin = "AGE-PLUGIN-FOOBAR-1QVHULF\n".to_owned();
    let with =
        |person: &x25519::Identity| secret(&(plugin.clone() + person.to_string().expose_secret()));
    assert_is_ours(&open(&file, &Identities::Keys(&with(one))).expect("opened"));
    let error = open(&file, &Identities::Keys(&with(stranger))).expect_err("refused");
    assert!(matches!(error, PassphraseError::Plugin(_)), "{error}");
}

#[test]
fn an_armored_export_opens() {
    let passphrase = secret("correct horse");
    let file = seal(VAULT, &storage_key(), &by_passphrase(&passphrase)).expect("sealed");
    let mut armored =
        armor::ArmoredWriter::wrap_output(Vec::new(), armor::Format::AsciiArmor).expect("a vector");
    armored.write_all(&file).expect("a vector");
    let armored = armored.finish().expect("a vector");
    assert!(armored.starts_with(ARMOR));
    let identities = Identities::Passphrase(&passphrase);
    assert_is_ours(&open(&armored, &identities).expect("opened"));
    // The end marker and its line break say nothing about the key; all before it must be there.
    let end = armored.len() - "\n-----END AGE ENCRYPTED FILE-----\n".len();
    for len in (0..end).step_by(7).chain([end]) {
        let error = open(&armored[..len], &identities).expect_err("refused");
        assert!(matches!(error, PassphraseError::Damaged(_)), "{error}");
    }
}

#[test]
fn the_key_file_of_the_passphrase_backend_is_a_bare_key() {
    let passphrase = secret("correct horse");
    let file = passphrase::seal_key(&storage_key(), &passphrase, Some(2)).expect("sealed");
    let opened = open(&file, &Identities::Passphrase(&passphrase)).expect("opened");
    assert_eq!(opened.vault, None);
    assert_eq!(opened.key.expose(), storage_key().expose());
}

#[test]
fn every_truncation_and_every_changed_byte_is_refused() {
    let person = x25519::Identity::generate();
    let keys = [person.to_public().to_string()];
    let file = seal(VAULT, &storage_key(), &Recipients::Keys(&keys)).expect("sealed");
    let identity = identity_file(&[&person]);
    for at in 0..file.len() {
        let mut changed = file.clone();
        changed[at] ^= 1;
        assert!(
            open(&changed, &Identities::Keys(&identity)).is_err(),
            "byte {at}"
        );
        assert!(
            open(&file[..at], &Identities::Keys(&identity)).is_err(),
            "cut at {at}"
        );
    }
    let longer = [&file[..], b"\n"].concat();
    assert!(open(&longer, &Identities::Keys(&identity)).is_err());
}

#[test]
fn fields_to_come_are_passed_over() {
    let (vault, key) = ("a5".repeat(16), "5a".repeat(32));
    let text = format!(
        r#" {{"made":["by",{{"a":"later"}}],"storage_key":"{key}","format":1, "vault_id":"{vault}"}}"#
    );
    assert_is_ours(&parse(text.as_bytes()).expect("an export"));
}

#[test]
fn what_is_no_export_is_refused_without_repeating_it() {
    let (vault, key) = ("a5".repeat(16), "5a".repeat(32));
    for text in [
        String::new(),
        "{}".to_owned(),
        "x".repeat(31),
        "x".repeat(33),
        format!(r#"{{"format":2,"storage_key":"{key}"}}"#),
        format!(r#"{{"format":"{key}"}}"#),
        format!(r#"{{"format":1,"vault_id":"{vault}"}}"#),
        format!(r#"{{"format":1,"storage_key":"{key}"}}"#),
        format!(r#"{{"format":1,"vault_id":"{vault}","storage_key":"{key}5a"}}"#),
        format!(
            r#"{{"format":1,"vault_id":"{vault}","storage_key":"\u0035a{}"}}"#,
            &key[2..]
        ),
        format!(r#"{{"format":1,"vault_id":"{key}","storage_key":"{key}"}}"#),
        format!(r#"{{"format":1,"vault_id":"{vault}","storage_key":"{key}"}}{{}}"#),
    ] {
        let error = parse(text.as_bytes()).expect_err("refused");
        assert!(matches!(error, PassphraseError::Damaged(_)), "{error}");
        assert!(!error.to_string().contains("5a5a"), "{error}");
    }
    let later = parse(br#"{"format":2}"#).expect_err("refused");
    assert!(later.to_string().contains("format 2"), "{later}");
}

#[test]
fn sizes_are_bounded() {
    let passphrase = secret("correct horse");
    let identities = Identities::Passphrase(&passphrase);
    let mut text = line(VAULT, &storage_key()).to_string();
    text += &" ".repeat(MAX_PLAINTEXT - text.len());
    let file = sealed(text.as_bytes(), &passphrase);
    assert_is_ours(&open(&file, &identities).expect("at the limit"));

    text += " ";
    for (file, word) in [
        (sealed(text.as_bytes(), &passphrase), "4096 bytes"),
        (vec![b'a'; MAX_FILE + 1], "64 KiB"),
        (vec![b'a'; MAX_FILE], "header"),
        (b"a\n".repeat(MAX_FILE / 2), "header"),
    ] {
        let error = open(&file, &identities).expect_err("refused");
        assert!(matches!(error, PassphraseError::Damaged(_)), "{error}");
        assert!(error.to_string().contains(word), "{error}");
    }
}
