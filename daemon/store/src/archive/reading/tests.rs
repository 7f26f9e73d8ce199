//! Bodies that are larger than what is held of them.

use std::{io::Cursor, ops::ControlFlow};

use serde_json::json;
use vault_crypto::VaultId;

use super::*;
use crate::{
    SizeClass, StoreError, StoreName,
    archive::{
        Progress, Tally,
        body::{Body, Piece},
        manifest::StorePart,
    },
    catalogue::{DatabaseOptions, Kind, Protection},
    id::Revision,
    kind::Entry,
};

/// An archive of one document.
fn archive(body: &[u8]) -> Vec<u8> {
    let store = StoreName::parse("notes").expect("a good name");
    let (size, sha256) = (body.len() as u64, ContentHash::of(body));
    let metadata = json!({
        "id": "a", "type": "x/y", "size": size, "sha256": sha256.to_string(),
        "created": 1, "modified": 2,
    });
    let entry = Entry {
        id: "a".to_owned(),
        revision: Revision(1),
        content_type: "x/y".to_owned(),
        size,
        sha256,
        metadata: metadata.to_string().into_bytes(),
    };
    let part = StorePart {
        kind: Kind::Documents,
        protection: Protection::Protected,
        size_class: SizeClass::Chat,
        database: DatabaseOptions::default(),
        attachments: crate::catalogue::AttachmentOptions::default(),
        revision: Revision(1),
        objects: 1,
        bytes: size,
        list: vec![Object::of((Kind::Documents, &store), entry).expect("JSON")],
        name: store,
    };
    let manifest = Manifest::new(VaultId::from_bytes([1; 16]), 5000, vec![part]);
    let encoded = manifest.encode().expect("small");
    let hash = ContentHash::of(&encoded).to_string();
    let mut out = layout::manifest_head(encoded.len() as u64, &hash, manifest.time());
    let path = &manifest.stores[0].list[0].path;
    let head = layout::entry_head(path, (0, 0), size, manifest.time());
    for (head, content) in [(Vec::new(), &encoded[..]), (head, body)] {
        out.extend_from_slice(&head);
        out.extend_from_slice(content);
        out.resize(out.len().next_multiple_of(BLOCK), 0);
    }
    out.extend_from_slice(&layout::END);
    out
}

fn content(len: usize) -> Vec<u8> {
    (0_u32..)
        .map(|n| n.wrapping_mul(n).to_le_bytes()[1])
        .take(len)
        .collect()
}

/// Does something with the only body of an archive.
fn with_body<T>(input: impl Read, work: impl FnOnce(&mut Content<'_, '_>) -> T) -> T {
    let (manifest, _, mut reading) = open(input, None).expect("a good manifest");
    let object = &manifest.stores[0].list[0];
    work(&mut reading.body(object, (0, 0)).expect("a good head"))
}

/// What is read before the end, or before it fails.
fn read_by(body: &mut impl Read, piece: usize) -> (Vec<u8>, io::Result<()>) {
    let (mut found, mut buffer) = (Vec::new(), vec![0; piece]);
    loop {
        match body.read(&mut buffer) {
            Ok(0) => return (found, Ok(())),
            Ok(read) => found.extend_from_slice(&buffer[..read]),
            Err(error) => return (found, Err(error)),
        }
    }
}

#[test]
fn a_body_is_read_in_pieces_of_any_size() {
    for len in [0, 1, 511, 512, 513, 300_000] {
        let (body, archive) = (content(len), archive(&content(len)));
        for piece in [7, 4096, 1 << 20] {
            with_body(&archive[..], |content| {
                let (found, end) = read_by(content, piece);
                assert!(end.is_ok() && found == body, "{len} by {piece}");
                assert_eq!(content.read(&mut [0; 9]).expect("still the end"), 0);
            });
        }
        let (manifest, _, mut reading) = open(&archive[..], None).expect("a good manifest");
        let whole = reading.whole(&manifest.stores[0].list[0], (0, 0));
        assert_eq!(*whole.expect("right"), body);
        reading.finish().expect("the end");
    }
}

/// However it is read, the whole of a wrong body is in nobody's hands, nor does it seem to end.
#[test]
fn the_last_of_a_wrong_body_is_not_given_out() {
    for len in [1, 300_000, 300_032] {
        let good = archive(&content(len));
        let begin = good.len() - layout::END.len() - len.next_multiple_of(BLOCK);
        let mut cuts = vec![good[..begin + len / 2].to_vec()];
        for at in [0, len / 2, len - 1, len.next_multiple_of(BLOCK) - 1] {
            let mut wrong = good.clone();
            wrong[begin + at] ^= 1;
            cuts.push(wrong);
        }
        for wrong in cuts {
            for piece in [7, 4096, 1 << 20] {
                with_body(&wrong[..], |content| {
                    let (found, end) = read_by(content, piece);
                    assert!(found.len() < len);
                    let error = end.expect_err("wrong");
                    assert_eq!(error.kind(), io::ErrorKind::InvalidData);
                    let error = ArchiveError::of_body(error);
                    assert!(matches!(error, ArchiveError::Damaged(_)), "{error:?}");
                    assert!(content.read(&mut [0; 9]).is_err(), "no second try");
                });
            }
        }
    }
}

/// Reads a body as a store does that tells no more than that reading failed.
fn imported(input: impl Read, report: &mut crate::archive::Report<'_>) -> ArchiveError {
    let (manifest, summary, mut reading) = open(input, None).expect("a good manifest");
    let part = &manifest.stores[0];
    let content = reading.body(&part.list[0], (0, 0)).expect("a good head");
    let mut tally = Tally::new(report, &summary);
    let mut body = Body::new(content, &mut tally, &part.name);
    let failed = io::copy(&mut body, &mut io::sink()).expect_err("fails");
    assert!(body.read(&mut [0; 9]).is_err(), "no second try");
    let store = StoreError::InvalidArgument(failed.to_string());
    body.failure(store)
}

#[test]
fn why_reading_failed_is_kept_for_whoever_asked_for_it() {
    struct Failing;
    impl Read for Failing {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::ErrorKind::ConnectionReset.into())
        }
    }
    let len = 5 << 20;
    let good = archive(&content(len));
    let half = good.len() - len / 2;
    let mut go_on = |_: Progress<'_>| ControlFlow::Continue(());
    let error = imported(Cursor::new(&good[..half]).chain(Failing), &mut go_on);
    let reset = matches!(error, ArchiveError::Io(io::ErrorKind::ConnectionReset, _));
    assert!(reset, "{error:?}");
    let error = imported(&good[..half], &mut go_on);
    assert!(matches!(error, ArchiveError::Damaged(_)), "{error:?}");
    // Progress is told within a body, and may end it.
    let mut stop = |progress: Progress<'_>| {
        assert!(progress.bytes_done > 0 && progress.objects_done == 0);
        ControlFlow::Break(())
    };
    let error = imported(&good[..], &mut stop);
    assert!(matches!(error, ArchiveError::Stopped), "{error:?}");
}

#[test]
fn progress_within_a_body_adds_up() {
    let len = 9 << 20;
    let good = archive(&content(len));
    let (manifest, summary, mut reading) = open(&good[..], None).expect("a good manifest");
    let part = &manifest.stores[0];
    let mut told = Vec::new();
    let mut note = |progress: Progress<'_>| {
        told.push((progress.objects_done, progress.bytes_done));
        ControlFlow::Continue(())
    };
    let mut tally = Tally::new(&mut note, &summary);
    let content = reading.body(&part.list[0], (0, 0)).expect("a good head");
    let mut body = Body::new(content, &mut tally, &part.name);
    let mut piece = Piece::new();
    piece.drain(&mut body).expect("right");
    body.done().expect("told");
    assert!(told.len() > 2 && told.is_sorted(), "{told:?}");
    assert_eq!(told.last(), Some(&(1, len as u64)));
    assert!(
        told[..told.len() - 1]
            .iter()
            .all(|(objects, _)| *objects == 0)
    );
}
