//! The splicer beside a parser: what it makes of a body is what a program that parses the body,
//! changes it and writes it anew would make, and every other byte is the one that was there.

use proptest::prelude::*;
use serde_json::{Map, Value};
use vault_crypto::ContentHash;

use super::*;

/// Small, so that bodies are.
const THRESHOLD: u64 = 8;

fn options() -> AttachmentOptions {
    AttachmentOptions {
        blobs: None,
        image: Some(THRESHOLD),
        document: Some(THRESHOLD),
        video: Some(2 * THRESHOLD),
        audio: Some(3 * THRESHOLD),
    }
}

/// What gave way, and to what.
type Change = (Range<usize>, String);

/// As a write does it, but for the store.
fn spill(body: &[u8]) -> StoreResult<(Vec<u8>, Vec<Change>)> {
    let options = options();
    let mut edits = Vec::new();
    for attachment in find(body, &options)? {
        if let Attachment::Inline {
            member,
            literal,
            kind,
            sizes,
            ..
        } = attachment
            && let Some(content) = decode(&body[literal])
            && content.len() as u64 >= options.threshold(kind)
        {
            let reference = BlobRef::new(ContentHash::of(&content));
            edits.extend(Edit::spilled(
                &member,
                &reference,
                content.len() as u64,
                &sizes,
            ));
        }
    }
    let made = edits
        .iter()
        .map(|edit| (edit.range.clone(), edit.with.clone()));
    let made = made.collect();
    Ok((splice(body, edits), made))
}

fn text<'a>(object: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    object.get(name).and_then(Value::as_str)
}

/// The same by a program that parses.
fn expected(value: &mut Value, attached: bool) {
    match value {
        Value::Array(values) => values.iter_mut().for_each(|value| expected(value, false)),
        Value::Object(object) => {
            for (name, value) in object.iter_mut() {
                match value {
                    Value::Array(values) if name == "attachments" => {
                        for value in values {
                            let is_object = value.is_object();
                            expected(value, is_object);
                        }
                    }
                    value => expected(value, false),
                }
            }
            let content = text(object, "data").filter(|_| attached);
            let content = content.and_then(|data| {
                let bare = data.trim_end_matches('=');
                data_encoding::BASE64_NOPAD.decode(bare.as_bytes()).ok()
            });
            let threshold = match (text(object, "kind"), text(object, "content_type")) {
                (Some("audio"), _) => 3 * THRESHOLD,
                (Some("image" | "document"), _) => THRESHOLD,
                (_, Some("video/mp4")) => 2 * THRESHOLD,
                (_, Some("AUDIO/ogg")) => 3 * THRESHOLD,
                _ => THRESHOLD,
            };
            if let Some(content) = content.filter(|content| content.len() as u64 >= threshold) {
                object.remove("data");
                let reference = ContentHash::of(&content).to_string();
                object.insert("ref".to_owned(), reference.into());
                object.insert("size".to_owned(), content.len().into());
            }
        }
        _ => {}
    }
}

fn space() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["", "", " ", "\n\t", "  "]).prop_map(str::to_owned)
}

/// A value without parts, as it is written.
fn leaf() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select(vec![
            "null",
            "true",
            "0",
            "-0",
            "1e0",
            "1.0",
            "1E+2",
            "18446744073709551615",
            "\"\"",
            "\"attachments\"",
            "\"\\\"attachments\\\":[{\"",
            "\"\\\\\"",
            "\"\\u00e9\\n\"",
            "[]",
            "{}",
            "\"{[}]\\\\\\\"\"",
        ])
        .prop_map(str::to_owned),
        base64(),
    ]
}

fn base64() -> impl Strategy<Value = String> {
    let content = prop::collection::vec(any::<u8>(), 0..40);
    (content, any::<bool>(), any::<bool>()).prop_map(|(content, padded, escaped)| {
        let mut text = if padded {
            data_encoding::BASE64.encode(&content)
        } else {
            data_encoding::BASE64_NOPAD.encode(&content)
        };
        if escaped {
            text = text.replace('/', "\\/");
        }
        format!("\"{text}\"")
    })
}

fn object(value: BoxedStrategy<String>) -> impl Strategy<Value = String> {
    let member = |name: &'static str, value: BoxedStrategy<String>| {
        let member = (space(), value)
            .prop_map(move |(space, value)| format!("\"{name}\"{space}:{space}{value}"));
        prop::option::of(member)
    };
    let word = |words: Vec<&'static str>| {
        prop::sample::select(words)
            .prop_map(|word| format!("\"{word}\""))
            .boxed()
    };
    let members = (
        member("a", value.clone()),
        member("data", prop_oneof![3 => base64(), 1 => leaf()].boxed()),
        member("attachments", array(value.clone()).boxed()),
        member("size", leaf().boxed()),
        member("kind", word(vec!["image", "audio", "document", "other"])),
        member(
            "content_type",
            word(vec!["image/png", "video/mp4", "AUDIO/ogg", ""]),
        ),
        member("z", value),
        prop::option::of(Just("\"dup\":1,\"dup\":2".to_owned())),
    );
    (members, space(), any::<u8>()).prop_map(|(members, space, turn)| {
        let (any, data, nested, size, kind, content_type, other, doubled) = members;
        let members = [any, data, nested, size, kind, content_type, other, doubled];
        let mut members: Vec<String> = members.into_iter().flatten().collect();
        let turn = usize::from(turn) % members.len().max(1);
        members.rotate_left(turn);
        format!(
            "{{{space}{}{space}}}",
            members.join(&format!("{space},{space}"))
        )
    })
}

fn array(value: BoxedStrategy<String>) -> impl Strategy<Value = String> {
    (prop::collection::vec(value, 0..4), space()).prop_map(|(values, space)| {
        format!("[{space}{}{space}]", values.join(&format!(" ,{space}")))
    })
}

fn body() -> impl Strategy<Value = String> {
    leaf().prop_recursive(5, 48, 6, |value| {
        let value = value.boxed();
        prop_oneof![3 => object(value.clone()), 1 => array(value)]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn splicing_is_parsing_changing_and_writing(body in body()) {
        let mut wanted: Value = serde_json::from_str(&body).expect("well formed");
        expected(&mut wanted, false);
        let (spliced, edits) = spill(body.as_bytes()).expect("none names a blob");
        let found: Value = serde_json::from_slice(&spliced).expect("well formed");
        prop_assert_eq!(&found, &wanted);

        // Each edit undone, every byte is the one that was there.
        let mut edits = edits;
        edits.sort_by_key(|(range, _)| range.start);
        let (mut undone, mut at) = (Vec::new(), 0);
        let mut shift = 0_isize;
        for (range, with) in &edits {
            let start = range.start.checked_add_signed(shift).expect("in the body");
            prop_assert_eq!(&spliced[start..start + with.len()], with.as_bytes());
            undone.extend_from_slice(&spliced[at..start]);
            undone.extend_from_slice(&body.as_bytes()[range.clone()]);
            at = start + with.len();
            shift += with.len().cast_signed() - range.len().cast_signed();
        }
        undone.extend_from_slice(&spliced[at..]);
        prop_assert_eq!(undone, body.as_bytes());

        // A second time there is nothing left to do.
        let (again, _) = spill(&spliced).expect("refs that are right");
        prop_assert_eq!(again, spliced);
    }
}

#[test]
fn a_body_without_attachments_is_not_looked_into() {
    for body in [
        r#"{"data":"AAAAAAAAAAAAAAAAAAAAAAAA"}"#,
        r#"{"attachment":[{"data":"AAAAAAAAAAAAAAAAAAAAAAAA"}]}"#,
        r#"{"attachments":{"data":"AAAAAAAAAAAAAAAAAAAAAAAA"}}"#,
        r#"{"x":"\"attachments\":[{\"data\":\"AAAAAAAAAAAAAAAAAAAAAAAA\"}]"}"#,
        r#"["attachments",[{"data":"AAAAAAAAAAAAAAAAAAAAAAAA"}]]"#,
    ] {
        assert_eq!(
            find(body.as_bytes(), &options()).expect("fine"),
            [],
            "{body}"
        );
    }
}

#[test]
fn what_is_ambiguous_is_refused() {
    let reference = "a".repeat(64);
    let upper = "A".repeat(64);
    for (members, told) in [
        (format!(r#""data":"","ref":"{reference}""#), "both"),
        (r#""data":"","data":"""#.to_owned(), "twice"),
        (
            format!(r#""ref":"{reference}","ref":"{reference}""#),
            "twice",
        ),
        (format!(r#""ref":"{upper}""#), "64 lower-case"),
        (format!(r#""ref":"{}""#, &reference[1..]), "64 lower-case"),
        (r#""ref":"""#.to_owned(), "64 lower-case"),
    ] {
        let body = format!(r#"{{"attachments":[{{{members}}}]}}"#);
        let error = find(body.as_bytes(), &options()).expect_err("refused");
        assert!(error.to_string().contains(told), "{body}: {error}");
    }
    let body = format!(r#"{{"attachments":[{{"data":null,"ref":"{reference}","size":7}}]}}"#);
    let found = find(body.as_bytes(), &options()).expect("a blob");
    assert!(matches!(&found[..], [Attachment::Blob { sizes, .. }] if sizes.len() == 1));
}

#[test]
fn hostile_nesting_is_bounded() {
    let open = r#"{"attachments":["#;
    let deep = format!("{}{}", open.repeat(40), "]}".repeat(40));
    let error = find(deep.as_bytes(), &options()).expect_err("too deep");
    assert!(error.to_string().contains("nested too deep"), "{error}");
    // Nesting of anything else takes neither memory nor stack.
    let many = 1 << 20;
    let body = format!(
        r#"{{"attachments":[{}{}]}}"#,
        "[".repeat(many),
        "]".repeat(many)
    );
    assert_eq!(find(body.as_bytes(), &options()).expect("fine"), []);
    let body = format!(
        r#"{{"attachments":[],"x":{}{}}}"#,
        "[".repeat(many),
        "]".repeat(many)
    );
    assert_eq!(find(body.as_bytes(), &options()).expect("fine"), []);
}

/// Every prefix of a body, which is never well formed, is passed without a panic.
#[test]
fn what_is_cut_short_is_passed() {
    let body =
        br#"{"attachments":[{"data":"AAAAAAAAAAAAAAAA","size":1,"kind":"image","x":[{}]},"\\"]}"#;
    for end in 0..=body.len() {
        let _ = spill(&body[..end]);
    }
}

#[test]
fn base64_is_the_standard_one() {
    let decoded = |text: &str| decode(text.as_bytes()).map(|content| content.to_vec());
    assert_eq!(decoded("+/8="), Some(vec![0xfb, 0xff]));
    assert_eq!(decoded("+/8"), Some(vec![0xfb, 0xff]));
    assert_eq!(decoded(r"+\/8="), Some(vec![0xfb, 0xff]));
    assert_eq!(decoded(r"\u002b/8="), Some(vec![0xfb, 0xff]));
    assert_eq!(decoded(""), Some(Vec::new()));
    for bad in [
        "-_8=", "+/8==", "+/9=", "A", "AA=A", "AA\\nAA", "====", "data:,x",
    ] {
        assert_eq!(decoded(bad), None, "{bad}");
    }
}

#[test]
fn every_member_that_holds_a_ref_names_a_blob() {
    let [a, b, c] = ["a", "b", "c"].map(|digit| digit.repeat(64));
    let body = format!(
        r#"{{"ref":"{b}","x":[{{"ref" :
            "{a}"}},{{"ref":"{b}"}},"ref",{{"refs":"{c}"}},{{"ref":"{c}0"}},{{"ref":["{c}"]}},
            "\"ref\":\"{c}\""],"y":"ref"}}"#
    );
    serde_json::from_str::<Value>(&body).expect("well formed");
    let named = Named::of(body.as_bytes());
    let found: Vec<String> = named.refs().iter().map(BlobRef::to_string).collect();
    assert_eq!(found, [a, b]);
    assert_eq!(named.listed(), Some(found));
    let many: Vec<String> = (0..257)
        .map(|n| format!(r#"{{"ref":"{n:064x}"}}"#))
        .collect();
    let named = Named::of(format!("[{}]", many.join(",")).as_bytes());
    assert_eq!((named.refs().len(), named.listed()), (257, None));
}
