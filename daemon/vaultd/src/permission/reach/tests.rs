//! The table against the contract: whatever names a store is judged by it.

use prost::{
    Message as _,
    encoding::{WireType, encode_key, encode_varint},
};
use prost_types::{DescriptorProto, FileDescriptorSet, field_descriptor_proto::Type};

use super::*;
use crate::permission::find;

/// Numbers of the fields on the way to one that names a store.
type Path = Vec<u32>;

struct Contract(FileDescriptorSet);

impl Contract {
    fn read() -> Self {
        let set = FileDescriptorSet::decode(vault_proto::FILE_DESCRIPTOR_SET);
        Self(set.expect("compiled descriptors"))
    }

    /// Every method with its service and the type of its request.
    fn methods(&self) -> Vec<(String, String, String)> {
        let mut methods = Vec::new();
        for service in self.0.file.iter().flat_map(|file| &file.service) {
            for method in &service.method {
                let path = format!("/vault.v1.{}/{}", service.name(), method.name());
                methods.push((
                    path,
                    service.name().to_owned(),
                    method.input_type().to_owned(),
                ));
            }
        }
        methods
    }

    fn message(&self, name: &str) -> Option<&DescriptorProto> {
        let mut names = name.strip_prefix(".vault.v1.")?.split('.');
        let first = names.next()?;
        let mut messages = self.0.file.iter().flat_map(|file| &file.message_type);
        let found = messages.find(|message| message.name() == first)?;
        names.try_fold(found, |found, name| {
            found
                .nested_type
                .iter()
                .find(|nested| nested.name() == name)
        })
    }

    /// The fields of a request that name stores, nested ones included.
    fn paths(&self, service: &str, message: &str, depth: usize) -> Vec<Path> {
        let Some(descriptor) = self.message(message) else {
            return Vec::new();
        };
        // In the services of stores, what is made or changed is called `name`.
        let of_stores = matches!(service, "Stores" | "Databases");
        let outermost = depth == 0 || descriptor.name() == "Start";
        let mut paths = Vec::new();
        for field in &descriptor.field {
            let number = u32::try_from(field.number()).expect("positive");
            let names_store = match field.name() {
                "store" | "database" => true,
                "name" => of_stores && outermost,
                "blobs" => descriptor.name() == "AttachmentPolicy",
                _ => false,
            };
            if names_store && field.r#type() == Type::String {
                paths.push(vec![number]);
            } else if field.r#type() == Type::Message && depth < 4 {
                let nested = self.paths(service, field.type_name(), depth + 1);
                paths.extend(nested.into_iter().map(|rest| [vec![number], rest].concat()));
            }
        }
        paths
    }
}

/// A message in which the field at the end of `path` is `text`, and nothing else is.
fn with(path: &[u32], text: &str) -> Vec<u8> {
    let (number, rest) = path.split_first().expect("a field");
    let content = if rest.is_empty() {
        text.as_bytes().to_vec()
    } else {
        with(rest, text)
    };
    let mut message = Vec::new();
    encode_key(*number, WireType::LengthDelimited, &mut message);
    encode_varint(content.len() as u64, &mut message);
    message.extend(content);
    message
}

#[test]
fn every_field_that_names_a_store_is_judged_and_nothing_else_claims_to() {
    let contract = Contract::read();
    let methods = contract.methods();
    let mut named = 0;
    for (method, service, request) in &methods {
        let paths = contract.paths(service, request, 0);
        let rule = find(method).unwrap_or_else(|| panic!("{method} has no rule"));
        let Reach::Named(decode) = rule.reach else {
            assert!(paths.is_empty(), "{method} names a store at {paths:?}");
            continue;
        };
        assert!(!paths.is_empty(), "{method} names no store");
        for path in paths {
            let found = decode(&with(&path, "a/probe")).expect("well-formed");
            let probe = Named::Store("a/probe".to_owned());
            assert!(found.contains(&probe), "{method} {path:?}: {found:?}");
            named += 1;
        }
    }
    assert!(named > 40, "the walk found {named} fields");
}

#[test]
fn a_name_that_is_left_away_means_what_the_service_takes_it_for() {
    let stores = |method: &str| {
        let rule = find(&format!("/vault.v1.{method}")).expect("a rule");
        let Reach::Named(decode) = rule.reach else {
            panic!("{method} names no store")
        };
        decode(&[]).expect("an empty message")
    };
    assert_eq!(stores("Blobs/Get"), [Named::Store("blobs".into())]);
    assert_eq!(stores("Blobs/Collect"), [Named::Every]);
    assert_eq!(stores("Maintenance/Run"), [Named::Every]);
    // A stream whose first message is out of turn names none.
    for method in [
        "Documents/Upload",
        "Documents/Import",
        "Blobs/Upload",
        "Files/Upload",
    ] {
        assert_eq!(stores(method), [], "{method}");
    }
    for method in ["Databases/Transact", "Databases/Import", "Stores/Adopt"] {
        assert_eq!(stores(method), [], "{method}");
    }
}

#[test]
fn of_a_field_that_comes_twice_the_last_one_counts_as_it_does_for_the_service() {
    let twice = [with(&[1], "mine"), with(&[1], "another")].concat();
    let Reach::Named(decode) = find("/vault.v1.Documents/Get").expect("a rule").reach else {
        panic!("it names its store")
    };
    let found = decode(&twice).expect("well-formed");
    assert_eq!(found, [Named::Store("another".into())]);
}
