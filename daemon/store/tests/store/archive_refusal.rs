//! An archive that is not as it was written is refused, and no failure passes for another.

use std::{
    io::{self, Read, Write},
    ops::ControlFlow,
};

use vault_crypto::{Identities, PassphraseError, Recipients, SecretBytes};
use vault_store::{
    StoreError,
    archive::{ArchiveError, Contents, Form, Progress, export, verify},
    catalogue::Protection,
};

use crate::{
    archive_world::{
        FORMS, SEALED, TAR, ZSTD, entries, exported, joined, passphrase, rich, verified,
    },
    support::{
        disk::OnDisk,
        fixture::{Fixture, put},
    },
};

fn go_on(_: Progress<'_>) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

#[test]
fn what_is_cut_short_is_refused() {
    let vault = rich(&Fixture::new());
    for form in FORMS {
        let (archive, _) = exported(&vault, form);
        let lengths = (0..archive.len()).step_by(211).chain([
            1,
            511,
            512,
            1536,
            archive.len() - 1,
            archive.len() - 512,
            archive.len() - 1024,
        ]);
        for length in lengths {
            let error = verified(&archive[..length]).expect_err("cut short");
            let known = matches!(error, ArchiveError::Damaged(_) | ArchiveError::NotAnArchive);
            assert!(known, "form {form} at {length}: {error:?}");
        }
    }
}

#[test]
fn what_is_changed_is_refused() {
    let vault = rich(&Fixture::new());
    for form in FORMS {
        let (archive, summary) = exported(&vault, form);
        let places = (0..2048.min(archive.len())).chain((2048..archive.len()).step_by(53));
        for at in places {
            let mut changed = archive.clone();
            changed[at] ^= 1 << (at % 8);
            match verified(&changed) {
                Err(_) => {}
                // Bits of a zstd frame that mean nothing.
                Ok(found) => assert!(form == ZSTD && found == summary, "form {form} at {at}"),
            }
        }
    }
}

#[test]
fn what_is_appended_is_refused() {
    let vault = rich(&Fixture::new());
    for form in FORMS {
        let (archive, _) = exported(&vault, form);
        let frame = zstd::encode_all(&b""[..], 3).expect("compressed");
        let skipped = b"\x50\x2A\x4D\x18\0\0\0\0";
        for more in [&[0; 1][..], &[0; 512], &[1], &archive, &frame, skipped] {
            let appended = [&archive, more].concat();
            let error = verified(&appended).expect_err("something follows");
            assert!(matches!(error, ArchiveError::Damaged(_)), "{error:?}");
        }
    }
}

#[test]
fn entries_out_of_place_are_refused_and_named() {
    let vault = rich(&Fixture::new());
    let (archive, summary) = exported(&vault, TAR);
    let (parts, end) = entries(&archive);
    assert_eq!(joined(&parts, &end), archive);
    assert_eq!(parts.len() as u64, summary.objects + 1);
    for at in 1..parts.len() {
        let mut dropped = parts.clone();
        dropped.remove(at);
        let mut doubled = parts.clone();
        doubled.insert(at, parts[at].clone());
        let mut swapped = parts.clone();
        let other = if at == 1 { 2 } else { at - 1 };
        swapped.swap(at, other);
        for wrong in [dropped, doubled, swapped] {
            let wrong = joined(&wrong, &end);
            let error = verified(&wrong).expect_err("not what the manifest says");
            assert!(
                matches!(&error, ArchiveError::Damaged(what)
                    if what.contains("is expected") || what.contains("after the last object")),
                "{error}"
            );
            // Compressed as well, where nothing else would tell.
            let packed = zstd::encode_all(&wrong[..], 3).expect("compressed");
            assert!(verified(&packed).is_err());
        }
    }
    for (what, wrong) in [
        ("no manifest", joined(&parts[1..], &end)),
        ("no end", joined(&parts, &end[..512])),
        ("nothing", Vec::new()),
        ("an end alone", end.clone()),
        ("text", b"{\"some\": \"thing else\"}".repeat(100)),
    ] {
        assert!(verified(&wrong).is_err(), "{what}");
    }
}

/// An ordinary compressor may pack what was exported plain.
#[test]
fn a_tar_file_packed_by_others_is_read() {
    let vault = rich(&Fixture::new());
    let (archive, summary) = exported(&vault, TAR);
    for level in [1, 19] {
        let packed = zstd::encode_all(&archive[..], level).expect("compressed");
        assert_eq!(verified(&packed).expect("whole"), summary);
    }
}

/// Whatever a frame promises, memory is not given on credit.
#[test]
fn a_bomb_does_not_go_off() {
    let zeros = zstd::encode_all(io::repeat(0).take(1 << 28), 19).expect("compressed");
    let error = verified(&zeros).expect_err("zeros");
    assert!(matches!(error, ArchiveError::NotAnArchive), "{error}");
    // An archive that goes on for ever.
    let vault = rich(&Fixture::new());
    let (archive, _) = exported(&vault, TAR);
    let endless = archive.chain(io::repeat(0).take(1 << 28));
    let packed = zstd::encode_all(endless, 1).expect("compressed");
    let error = verified(&packed).expect_err("endless");
    assert!(matches!(error, ArchiveError::Damaged(_)), "{error}");
    // A window of 128 MiB.
    let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 1).expect("an encoder");
    encoder.window_log(27).expect("allowed");
    encoder.write_all(&archive).expect("compressed");
    let error = verified(&encoder.finish().expect("compressed")).expect_err("too wide");
    assert!(matches!(error, ArchiveError::Damaged(_)), "{error}");
    // A manifest that claims to be larger than any may be.
    let mut claims = archive.clone();
    let mut header = tar::Header::new_ustar();
    header.as_mut_bytes().copy_from_slice(&archive[1024..1536]);
    header.set_size(u64::MAX >> 4);
    header.set_cksum();
    claims[1024..1536].copy_from_slice(header.as_bytes());
    let error = verified(&claims).expect_err("too long");
    assert!(matches!(error, ArchiveError::Damaged(_)), "{error}");
}

#[test]
fn the_wrong_key_is_not_damage() {
    let vault = rich(&Fixture::new());
    let (archive, _) = exported(&vault, SEALED);
    let none = verify(&archive[..], None, &mut go_on).expect_err("sealed");
    assert!(matches!(none, ArchiveError::NeedsKey), "{none}");
    let wrong = SecretBytes::new(b"another passphrase".to_vec());
    let wrong = Identities::Passphrase(&wrong);
    let error = verify(&archive[..], Some(&wrong), &mut go_on).expect_err("wrong");
    assert!(
        matches!(error, ArchiveError::Key(PassphraseError::WrongPassphrase)),
        "{error}"
    );
    // Nobody needs a key for what is not sealed.
    let (archive, summary) = exported(&vault, TAR);
    let found = verify(&archive[..], None, &mut go_on).expect("in the clear");
    assert_eq!(found, summary);
    let nobody = Form::Sealed(Recipients::Keys(&[]));
    let error = export(
        &vault,
        io::sink(),
        &nobody,
        &Contents::default(),
        &mut go_on,
    )
    .expect_err("for nobody");
    assert!(matches!(error, ArchiveError::Key(_)), "{error}");
}

/// The file and the way to it fail in different words.
#[test]
fn a_failure_of_the_input_is_not_damage() {
    struct Failing<'a>(&'a [u8]);
    impl Read for Failing<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            match self.0.read(buffer)? {
                0 => Err(io::Error::new(io::ErrorKind::ConnectionReset, "gone")),
                read => Ok(read),
            }
        }
    }
    struct Full(usize);
    impl Write for Full {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let room = self.0.checked_sub(bytes.len());
            self.0 = room.ok_or(io::ErrorKind::StorageFull)?;
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let vault = rich(&Fixture::new());
    let passphrase = passphrase();
    let identities = Identities::Passphrase(&passphrase);
    for form in FORMS {
        let (archive, _) = exported(&vault, form);
        for length in (0..archive.len()).step_by(1009) {
            let input = Failing(&archive[..length]);
            let error = verify(input, Some(&identities), &mut go_on).expect_err("gone");
            let reset = matches!(error, ArchiveError::Io(io::ErrorKind::ConnectionReset, _));
            assert!(reset, "form {form} at {length}: {error:?}");
        }
    }
    for room in [0, 100, 20_000] {
        let sealed = Form::Sealed(Recipients::Passphrase {
            passphrase: &passphrase,
            work_factor: Some(1),
        });
        for form in [Form::Tar, Form::TarZstd, sealed] {
            let error = export(&vault, Full(room), &form, &Contents::default(), &mut go_on);
            let Err(error) = error else { continue };
            let full = matches!(error, ArchiveError::Io(io::ErrorKind::StorageFull, _));
            assert!(full, "{error:?}");
        }
    }
}

#[test]
fn a_damaged_object_stops_an_export_by_its_name() {
    let mut disk = OnDisk::new();
    let store = disk.store("notes", Protection::Protected);
    let path = disk.object_of(&store, || put(&store, "a", "x"));
    let mut sealed = std::fs::read(&path).expect("read");
    *sealed.last_mut().expect("something") ^= 1;
    std::fs::write(&path, sealed).expect("written");
    disk.reopen();
    let error = export(
        &disk.vault,
        io::sink(),
        &Form::Tar,
        &Contents::default(),
        &mut go_on,
    )
    .expect_err("damaged");
    let named = matches!(&error, ArchiveError::Store(StoreError::Damaged { object, .. })
        if object.contains("`a`"));
    assert!(named, "{error:?}");
}
