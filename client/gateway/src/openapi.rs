//! The OpenAPI document, put together of `openapi/*.json`: written by hand, one file a noun.

use std::sync::LazyLock;

use serde_json::{Map, Value, json};

/// What the document begins with, and what all its parts share.
const DOCUMENT: &str = include_str!("../openapi/document.json");
/// Its parts: addresses, and what they refer to.
const PARTS: [&str; 7] = [
    include_str!("../openapi/access.json"),
    include_str!("../openapi/blobs.json"),
    include_str!("../openapi/connections.json"),
    include_str!("../openapi/documents.json"),
    include_str!("../openapi/files.json"),
    include_str!("../openapi/stores.json"),
    include_str!("../openapi/vault.json"),
];

/// What any address may answer with a failure: said here once.
const ALWAYS: [(&str, &str); 7] = [
    ("400", "failure"),
    ("401", "unauthenticated"),
    ("403", "failure"),
    ("429", "wait"),
    ("500", "failure"),
    ("503", "failure"),
    ("504", "failure"),
];
/// The same of one that reads a body.
const WITH_A_BODY: [(&str, &str); 3] = [("408", "failure"), ("413", "failure"), ("415", "failure")];

/// The document as text; `None` where its files are not what they should be, which a test rules out.
pub fn text() -> Option<&'static str> {
    static TEXT: LazyLock<Option<String>> =
        LazyLock::new(|| document().map(|document| document.to_string()));
    TEXT.as_deref()
}

fn document() -> Option<Value> {
    let mut document: Value = serde_json::from_str(DOCUMENT).ok()?;
    let mut paths = Map::new();
    for part in PARTS {
        let part: Map<String, Value> = serde_json::from_str(part).ok()?;
        for (name, entries) in part {
            let Value::Object(entries) = entries else {
                return None;
            };
            if name == "paths" {
                paths.extend(entries);
                continue;
            }
            let components = document.get_mut("components")?.as_object_mut()?;
            let shared = components.entry(name).or_insert_with(|| json!({}));
            shared.as_object_mut()?.extend(entries);
        }
    }
    let addresses = paths
        .iter_mut()
        .filter(|(path, _)| path.starts_with("/api/"));
    let methods = addresses.filter_map(|(_, address)| address.as_object_mut());
    for operation in methods.flat_map(Map::values_mut) {
        add_failures(operation);
    }
    document["paths"] = Value::Object(paths);
    Some(document)
}

/// Adds what is not said of an operation itself.
fn add_failures(operation: &mut Value) {
    let reads = operation.get("requestBody").is_some();
    let with_a_body = WITH_A_BODY.iter().filter(|_| reads);
    // What is no operation, such as parameters of an address, has no answers.
    let answers = operation
        .get_mut("responses")
        .and_then(Value::as_object_mut);
    let Some(answers) = answers else {
        return;
    };
    for (status, answer) in ALWAYS.iter().chain(with_a_body) {
        let known = answers.entry(*status);
        known.or_insert_with(|| json!({ "$ref": format!("#/components/responses/{answer}") }));
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::routes::{self, Needs};

    fn operations(document: &Value) -> BTreeSet<(String, String, bool)> {
        let paths = document["paths"].as_object().expect("addresses");
        let operations = paths.iter().flat_map(|(path, address)| {
            let methods = address.as_object().expect("methods").iter();
            let methods = methods.filter(|(name, _)| *name != "parameters");
            methods.map(move |(method, operation)| {
                let open = operation.get("security") == Some(&json!([]));
                (path.clone(), method.to_uppercase(), open)
            })
        });
        operations.collect()
    }

    #[test]
    fn every_route_is_in_the_document_and_nothing_else() {
        let served = routes::all().map(|route| {
            let path = route.path.replace("{*", "{");
            let open = route.needs == Needs::Nothing;
            (path, route.method.name().to_owned(), open)
        });
        let document = document().expect("its files are well formed");
        assert_eq!(operations(&document), served.collect());
    }

    #[test]
    fn every_reference_leads_somewhere_and_no_name_comes_twice() {
        fn check(value: &Value, document: &Value) {
            match value {
                Value::Object(members) => {
                    if let Some(reference) = members.get("$ref").and_then(Value::as_str) {
                        let pointer = reference.strip_prefix('#').expect("of this document");
                        assert!(document.pointer(pointer).is_some(), "{reference}");
                    }
                    members.values().for_each(|value| check(value, document));
                }
                Value::Array(values) => values.iter().for_each(|value| check(value, document)),
                _ => {}
            }
        }
        let document = document().expect("its files are well formed");
        check(&document, &document);
        let mut names = BTreeSet::new();
        let base: Value = serde_json::from_str(DOCUMENT).expect("well formed");
        let parts = PARTS.map(|part| serde_json::from_str(part).expect("well formed"));
        for sections in parts.iter().chain([&base["components"]]) {
            for (section, entries) in sections.as_object().expect("sections") {
                for name in entries.as_object().expect("entries").keys() {
                    assert!(names.insert((section, name)), "{section} {name}");
                }
            }
        }
    }

    #[test]
    fn every_parameter_of_an_address_is_described() {
        let document = document().expect("its files are well formed");
        let resolve = |parameter: &Value| match parameter["$ref"].as_str() {
            Some(reference) => document.pointer(&reference[1..]).cloned(),
            None => Some(parameter.clone()),
        };
        for (path, address) in document["paths"].as_object().expect("addresses") {
            let described = address["parameters"].as_array().into_iter().flatten();
            let described: BTreeSet<String> = described
                .filter_map(resolve)
                .filter(|parameter| parameter["in"] == "path")
                .filter_map(|parameter| parameter["name"].as_str().map(str::to_owned))
                .collect();
            let named = path.split('/').filter_map(|part| part.strip_prefix('{'));
            let named = named.map(|part| part.trim_end_matches('}').to_owned());
            assert_eq!(described, named.collect(), "{path}");
        }
    }
}
