//! What passes through an archive passes in small pieces, whatever its size.

use std::{
    collections::BTreeMap,
    io::{self, Read, Write},
    ops::ControlFlow,
};

use vault_store::{
    SizeClass, StoreError,
    archive::{ArchiveError, Contents, Form, Progress, export, verify},
    catalogue::{DatabaseOptions, Kind, Protection},
    documents::{Content, Precondition},
    vault::NewStore,
};

use crate::{
    archive_world::{TAR, exported, restorable, restored, rich, seen, verified},
    support::fixture::{Fixture, id, name},
};

/// The most that is asked for, or handed on, at once.
const PIECE: usize = 64 << 10;

/// Remembers the largest piece that passes.
struct Measured<T> {
    inner: T,
    largest: usize,
}

impl<R: Read> Read for Measured<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.largest = self.largest.max(buffer.len());
        self.inner.read(buffer)
    }
}

impl<W: Write> Write for Measured<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.largest = self.largest.max(bytes.len());
        self.inner.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

fn measured<T>(inner: T) -> Measured<T> {
    Measured { inner, largest: 0 }
}

fn go_on(_: Progress<'_>) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

#[test]
fn a_large_body_passes_in_small_pieces() {
    let vault = Fixture::new().create().expect("a new vault");
    vault
        .create_store(NewStore {
            name: name("media"),
            kind: Kind::Documents,
            protection: Protection::Protected,
            size_class: SizeClass::Image,
            database: DatabaseOptions::default(),
            attachments: vault_store::catalogue::AttachmentOptions::default(),
        })
        .expect("a new store");
    let body: Vec<u8> = (0..9 << 20).map(|n: u32| n.to_le_bytes()[1]).collect();
    let content = Content {
        content_type: "x/y".to_owned(),
        labels: BTreeMap::new(),
        body: body.clone(),
    };
    let media = vault.documents(&name("media")).expect("open");
    media
        .put(id("large"), content, Precondition::None)
        .expect("put");
    let mut out = measured(Vec::new());
    let summary = export(
        &vault,
        &mut out,
        &Form::Tar,
        &Contents::default(),
        &mut go_on,
    )
    .expect("exported");
    assert!((1..=PIECE).contains(&out.largest), "{}", out.largest);

    let mut input = measured(&out.inner[..]);
    assert_eq!(
        verify(&mut input, None, &mut go_on).expect("whole"),
        summary
    );
    assert!((1..=PIECE).contains(&input.largest), "{}", input.largest);

    let target = Fixture::new().create().expect("a new vault");
    restored(&target, &out.inner[..], summary.manifest, false).expect("restored");
    let media = target.documents(&name("media")).expect("open");
    assert!(*media.get(&id("large")).expect("there").body == body);
}

#[test]
fn chosen_stores_are_exported_alone() {
    let vault = rich(&Fixture::new());
    let export_of = |names: &[&str]| {
        let contents = Contents {
            only: Some(names.iter().map(|text| name(text)).collect()),
            ..Contents::default()
        };
        let mut out = Vec::new();
        export(&vault, &mut out, &Form::Tar, &contents, &mut go_on).map(|summary| (out, summary))
    };
    let (archive, summary) = export_of(&["media/pictures", "chat"]).expect("exported");
    let names = summary.stores.iter().map(|store| store.name.as_str());
    assert_eq!(names.collect::<Vec<_>>(), ["chat", "media/pictures"]);
    assert_eq!(verified(&archive).expect("whole"), summary);
    let target = Fixture::new().create().expect("a new vault");
    restored(&target, &archive[..], summary.manifest, false).expect("restored");
    let mut expected = restorable(&seen(&vault));
    expected.retain(|store, _| ["chat", "media/pictures"].contains(&store.as_str()));
    assert_eq!(seen(&target), expected);

    let missing = export_of(&["chat", "nowhere"]).expect_err("not there");
    assert!(
        matches!(&missing, ArchiveError::Store(StoreError::NoSuchStore(name)) if name == "nowhere"),
        "{missing:?}"
    );
    let (_, nothing) = export_of(&[]).expect("exported");
    assert!(nothing.stores.is_empty());
}

/// What was written by the version before this one, and by this one where all stores are of
/// documents, has format 1.
#[test]
fn documents_alone_are_written_as_ever() {
    let (archive, _) = exported(&rich(&Fixture::new()), TAR);
    let text = String::from_utf8_lossy(&archive);
    assert!(text.contains("{\"format\":1,"));
    assert!(!text.contains("\"database\""));
}
