//! Manifests that nobody wrote by exporting: their hash may be right, what they say is checked.

use serde_json::{Value, json};

use super::*;

const HASH: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

fn object(store: &str, id: &str, revision: u64, size: u64) -> Value {
    json!({
        "path": format!("stores/{store}/{id}.json"),
        "id": id,
        "revision": revision,
        "size": size,
        "sha256": HASH,
        "metadata": {
            "id": id, "type": "application/json", "size": size, "sha256": HASH,
            "created": 1, "modified": 2, "labels": {"l": "x"}, "later": {"nested": true},
        },
    })
}

fn store(name: &str) -> Value {
    json!({
        "name": name,
        "kind": "documents",
        "protection": "plain",
        "size_class": "auth",
        "revision": 9,
        "objects": 2,
        "bytes": 5,
        "list": [object(name, "a", 3, 2), object(name, "b", 7, 3)],
    })
}

fn manifest() -> Value {
    json!({
        "format": 1,
        "vault": "000102030405060708090a0b0c0d0e0f",
        "created": 1_700_000_000_123_i64,
        "stores": [store("one"), store("two")],
    })
}

fn parse(manifest: &Value) -> Result<Manifest, ArchiveError> {
    Manifest::parse(&serde_json::to_vec(manifest).expect("JSON"))
}

#[test]
fn what_is_parsed_is_encoded_again() {
    let parsed = parse(&manifest()).expect("a good manifest");
    assert_eq!(parsed.time(), 1_700_000_000);
    let again: Value =
        serde_json::from_slice(&parsed.encode().expect("encoded")).expect("JSON again");
    assert_eq!(again, manifest());
    let summary = parsed
        .summary(ContentHash::of(b""))
        .expect("a good manifest");
    assert_eq!((summary.objects, summary.bytes), (4, 10));
    assert_eq!(HASH, ContentHash::of(b"").to_string());
}

#[test]
fn a_manifest_that_contradicts_itself_is_damaged() {
    let first = "/stores/0/list/0";
    let wrong: &[(&str, Value)] = &[
        ("/vault", json!("nobody")),
        ("/created", json!(-1)),
        ("/created", json!(i64::MAX)),
        ("/stores/0/name", json!("two")),
        ("/stores/0/name", json!("z")),
        ("/stores/0/name", json!("../escape")),
        ("/stores/0/kind", json!("unheard-of")),
        ("/stores/0/revision", json!(6)),
        ("/stores/0/revision", json!(u64::MAX)),
        ("/stores/0/objects", json!(3)),
        ("/stores/0/bytes", json!(6)),
        ("/stores/0/list/0/id", json!("b")),
        ("/stores/0/list/0/revision", json!(0)),
        ("/stores/0/list/0/revision", json!(7)),
        ("/stores/0/list/0/size", json!(3)),
        ("/stores/0/list/0/size", json!(u64::MAX)),
        ("/stores/0/list/0/sha256", json!(HASH.to_uppercase())),
        ("/stores/0/list/0/sha256", json!("00")),
        ("/stores/0/list/0/path", json!("stores/one/b.json")),
        ("/stores/0/list/0/path", json!("/etc/passwd")),
        ("/stores/0/list/0/metadata", json!({})),
        ("/stores/0/list/0/metadata", json!("text")),
        ("/stores/0/list/0/metadata/type", json!("image/png")),
        (
            "/stores/0/list/0/metadata/labels",
            json!({"l": "x".repeat(64 << 10)}),
        ),
    ];
    for (place, value) in wrong {
        let mut changed = manifest();
        *changed.pointer_mut(place).expect("there") = value.clone();
        let error = parse(&changed).err();
        assert!(
            matches!(error, Some(ArchiveError::Damaged(_))),
            "{place} {value}: {error:?}"
        );
    }
    let ids = ["a\nb", "", &"x".repeat(201)];
    for id in ids {
        let mut changed = manifest();
        *changed.pointer_mut(first).expect("there") = object("one", id, 3, 2);
        assert!(parse(&changed).is_err(), "{id:?}");
    }
    let mut huge = manifest();
    let size = envelope::BODY_LIMIT + 1;
    *huge.pointer_mut(first).expect("there") = object("one", "a", 3, size);
    huge["stores"][0]["bytes"] = json!(size + 3);
    assert!(parse(&huge).is_err(), "no body is that large");
}

#[test]
fn who_may_use_a_vault_is_in_no_manifest() {
    let mut changed = manifest();
    changed["stores"][0] = store(".auth");
    let error = parse(&changed).err();
    let says = matches!(&error, Some(ArchiveError::Damaged(what)) if what.contains("no archive"));
    assert!(says, "{error:?}");
}

#[test]
fn a_later_format_is_called_so() {
    for manifest in [json!({"format": 3, "stores": "elsewhere"}), {
        let mut later = manifest();
        later["format"] = json!(3);
        later
    }] {
        let error = parse(&manifest).err();
        assert!(
            matches!(error, Some(ArchiveError::UnknownFormat(3))),
            "{error:?}"
        );
    }
    for bytes in [&b""[..], b"{}", b"[", b"null", b"\xff"] {
        let error = Manifest::parse(bytes).err();
        assert!(matches!(error, Some(ArchiveError::Damaged(_))), "{error:?}");
    }
}

#[test]
fn a_kind_of_a_later_version_is_called_so() {
    let mut later = manifest();
    later["format"] = json!(2);
    assert!(parse(&later).is_ok(), "both formats hold documents");
    later["stores"][1]["kind"] = json!("holo\x1bgrams");
    later["stores"][1]["list"] = json!({"nobody": "knows"});
    let error = parse(&later).err().expect("unknown");
    assert!(
        matches!(&error, ArchiveError::UnknownKind { store, kind }
            if store.as_str() == "two" && kind == "holo\\u{1b}grams"),
        "{error:?}"
    );
    // Whose kinds are all known is damaged where it does not parse.
    later["stores"][1]["kind"] = json!("documents");
    assert!(matches!(
        parse(&later).err(),
        Some(ArchiveError::Damaged(_))
    ));
}
