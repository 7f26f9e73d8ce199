//! JSON Merge Patch, RFC 7396.
//!
//! Works on the JSON text: what a patch does not touch comes out as it went in, digit for digit
//! and in its order, so that no large number or duplicate spelling is lost on the way.

use std::{borrow::Cow, fmt};

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// The members of a JSON object in their order; of a repeated name, the last value counts.
struct Members<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct MembersVisitor;

        #[derive(serde::Deserialize)]
        struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

        impl<'de> Visitor<'de> for MembersVisitor {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                let mut places = std::collections::HashMap::new();
                while let Some((Name(name), value)) = map.next_entry::<Name<'de>, &RawValue>()? {
                    if let Some(&place) = places.get(&name) {
                        let (_, old): &mut (Cow<'_, str>, &RawValue) = &mut members[place];
                        *old = value;
                    } else {
                        places.insert(name.clone(), members.len());
                        members.push((name, value));
                    }
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(MembersVisitor)
    }
}

/// How deep a patch may be nested: it is applied recursively. The JSON parser's own limit for
/// values.
const DEPTH_LIMIT: usize = 128;

/// Applies `patch` to `target`; both are JSON texts.
pub(crate) fn merge_patch(target: &str, patch: &str) -> Result<String, serde_json::Error> {
    let target = serde_json::from_str(target)?;
    let patch = serde_json::from_str(patch)?;
    let mut merged = String::new();
    merge(Some(target), patch, &mut merged, DEPTH_LIMIT)?;
    Ok(merged)
}

fn object(value: &RawValue) -> Result<Option<Members<'_>>, serde_json::Error> {
    if value.get().starts_with('{') {
        serde_json::from_str(value.get()).map(Some)
    } else {
        Ok(None)
    }
}

fn merge(
    target: Option<&RawValue>,
    patch: &RawValue,
    out: &mut String,
    depth: usize,
) -> Result<(), serde_json::Error> {
    let Some(depth) = depth.checked_sub(1) else {
        return Err(serde::de::Error::custom("the patch is nested too deeply"));
    };
    let Some(Members(patch)) = object(patch)? else {
        out.push_str(patch.get());
        return Ok(());
    };
    let target = target.map(object).transpose()?.flatten();
    let Members(target) = target.unwrap_or(Members(Vec::new()));
    let patches: std::collections::HashMap<&str, &RawValue> = patch
        .iter()
        .map(|(name, value)| (name.as_ref(), *value))
        .collect();
    let present: std::collections::HashSet<&str> =
        target.iter().map(|(name, _)| name.as_ref()).collect();
    let is_null = |value: &RawValue| value.get() == "null";

    out.push('{');
    let mut first = true;
    let mut name_out = |name: &str, out: &mut String| -> Result<(), serde_json::Error> {
        if !std::mem::take(&mut first) {
            out.push(',');
        }
        out.push_str(&serde_json::to_string(name)?);
        out.push(':');
        Ok(())
    };
    for (name, value) in &target {
        match patches.get(name.as_ref()) {
            None => {
                name_out(name, out)?;
                out.push_str(value.get());
            }
            Some(patch) if is_null(patch) => {}
            Some(patch) => {
                name_out(name, out)?;
                merge(Some(value), patch, out, depth)?;
            }
        }
    }
    for (name, patch) in &patch {
        if !present.contains(name.as_ref()) && !is_null(patch) {
            name_out(name, out)?;
            merge(None, patch, out, depth)?;
        }
    }
    out.push('}');
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::merge_patch;

    /// RFC 7396, appendix A: original, patch, result.
    const RFC_7396: [(&str, &str, &str); 15] = [
        (r#"{"a":"b"}"#, r#"{"a":"c"}"#, r#"{"a":"c"}"#),
        (r#"{"a":"b"}"#, r#"{"b":"c"}"#, r#"{"a":"b","b":"c"}"#),
        (r#"{"a":"b"}"#, r#"{"a":null}"#, r"{}"),
        (r#"{"a":"b","b":"c"}"#, r#"{"a":null}"#, r#"{"b":"c"}"#),
        (r#"{"a":["b"]}"#, r#"{"a":"c"}"#, r#"{"a":"c"}"#),
        (r#"{"a":"c"}"#, r#"{"a":["b"]}"#, r#"{"a":["b"]}"#),
        (
            r#"{"a":{"b":"c"}}"#,
            r#"{"a":{"b":"d","c":null}}"#,
            r#"{"a":{"b":"d"}}"#,
        ),
        (r#"{"a":[{"b":"c"}]}"#, r#"{"a":[1]}"#, r#"{"a":[1]}"#),
        (r#"["a","b"]"#, r#"["c","d"]"#, r#"["c","d"]"#),
        (r#"{"a":"b"}"#, r#"["c"]"#, r#"["c"]"#),
        (r#"{"a":"foo"}"#, "null", "null"),
        (r#"{"a":"foo"}"#, r#""bar""#, r#""bar""#),
        (r#"{"e":null}"#, r#"{"a":1}"#, r#"{"e":null,"a":1}"#),
        (r"[1,2]", r#"{"a":"b","c":null}"#, r#"{"a":"b"}"#),
        (r"{}", r#"{"a":{"bb":{"ccc":null}}}"#, r#"{"a":{"bb":{}}}"#),
    ];

    #[test]
    fn the_examples_of_the_rfc_hold() {
        for (original, patch, result) in RFC_7396 {
            let merged = merge_patch(original, patch).expect("valid JSON");
            assert_eq!(merged, result, "{original} with {patch}");
        }
    }

    #[test]
    fn what_is_not_touched_keeps_its_digits_and_its_order() {
        let original =
            r#"{"z":123456789012345678901234567890,"a":0.10000000000000000001,"m":1e400}"#;
        let merged = merge_patch(original, r#"{"a":2}"#).expect("valid JSON");
        assert_eq!(
            merged,
            r#"{"z":123456789012345678901234567890,"a":2,"m":1e400}"#
        );
    }

    #[test]
    fn a_patch_nested_too_deeply_is_refused() {
        let nested = |depth: usize| r#"{"a":"#.repeat(depth) + "1" + &"}".repeat(depth);
        assert_eq!(
            merge_patch("{}", &nested(100)).expect("valid JSON"),
            nested(100)
        );
        let deep = nested(20_000);
        assert!(merge_patch("{}", &deep).is_err());
        assert_eq!(
            merge_patch(&deep, "1").expect("what is replaced is not walked"),
            "1"
        );
    }

    #[test]
    fn escaped_names_are_compared_by_meaning() {
        let merged = merge_patch(r#"{"\u0061":1}"#, r#"{"a":2}"#).expect("valid JSON");
        assert_eq!(merged, r#"{"a":2}"#);
    }
}
