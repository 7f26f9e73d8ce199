//! The table fits the contract.

use prost::Message as _;
use prost_types::{DescriptorProto, FileDescriptorSet, field_descriptor_proto::Type as FieldType};
use vault_proto::v1::{
    self, PutDocumentRequest, SaveConnectionRequest, SetSecretRequest, UploadDocumentRequest,
    upload_document_request,
};

use super::*;
use crate::permission::{Reach, TABLE as RULES};

/// Every message by its full name, those inside others included.
fn messages(set: &FileDescriptorSet) -> Vec<(String, DescriptorProto)> {
    fn add(prefix: &str, message: &DescriptorProto, all: &mut Vec<(String, DescriptorProto)>) {
        let name = format!("{prefix}.{}", message.name());
        for inner in &message.nested_type {
            add(&name, inner, all);
        }
        all.push((name, message.clone()));
    }
    let mut all = Vec::new();
    for file in &set.file {
        for message in &file.message_type {
            add(&format!(".{}", file.package()), message, &mut all);
        }
    }
    all
}

#[test]
fn every_path_leads_to_a_text_of_its_methods_message() {
    let set = FileDescriptorSet::decode(vault_proto::FILE_DESCRIPTOR_SET).expect("descriptors");
    let messages = messages(&set);
    let find = |name: &str| {
        let found = messages.iter().find(|(known, _)| known == name);
        &found.unwrap_or_else(|| panic!("no message {name}")).1
    };
    let mut walked = 0;
    for service in set.file.iter().flat_map(|file| &file.service) {
        for method in &service.method {
            let path = format!("/vault.v1.{}/{}", service.name(), method.name());
            let Some(names) = Names::of(&path) else {
                continue;
            };
            walked += 1;
            for fields in [names.store, names.object] {
                let mut input = method.input_type().to_owned();
                for (depth, number) in fields.iter().enumerate() {
                    let message = find(&input);
                    let wanted = i32::try_from(*number).expect("small");
                    let field = message.field.iter().find(|field| field.number() == wanted);
                    let field = field.unwrap_or_else(|| panic!("{path}: no field {number}"));
                    let last = depth + 1 == fields.len();
                    let expected = if last {
                        FieldType::String
                    } else {
                        FieldType::Message
                    };
                    assert_eq!(field.r#type(), expected, "{path}: {}", field.name());
                    let secret = [
                        "value",
                        "passphrase",
                        "credential",
                        "pairing_code",
                        "ceremony",
                    ];
                    assert!(!secret.contains(&field.name()), "{path}: {}", field.name());
                    field.type_name().clone_into(&mut input);
                }
            }
        }
    }
    let rows: usize = TABLE.iter().map(|(_, methods)| methods.len()).sum();
    assert_eq!(walked, rows, "every row is of a method");
}

#[test]
fn whatever_names_its_store_is_recorded_with_it() {
    for rule in RULES {
        if matches!(rule.reach, Reach::Named(_)) {
            let names = Names::of(rule.method);
            assert!(
                names.is_some_and(|names| !names.store.is_empty()),
                "{}",
                rule.method
            );
        }
    }
}

#[test]
fn names_are_read_and_nothing_else() {
    let read = |method: &str, message: &[u8]| {
        let about = Names::of(method).expect(method).read(message);
        (about.store, about.object)
    };
    let put = PutDocumentRequest {
        store: "notes".into(),
        id: "one".into(),
        body: b"{}".to_vec(),
        ..PutDocumentRequest::default()
    };
    let expected = ("notes".to_owned(), "one".to_owned());
    assert_eq!(
        read("/vault.v1.Documents/Put", &put.encode_to_vec()),
        expected
    );
    let upload = UploadDocumentRequest {
        part: Some(upload_document_request::Part::Start(
            upload_document_request::Start {
                store: "notes".into(),
                id: "one".into(),
                ..upload_document_request::Start::default()
            },
        )),
    };
    let upload = upload.encode_to_vec();
    assert_eq!(read("/vault.v1.Documents/Upload", &upload), expected);
    let set = SetSecretRequest {
        name: "connection:openai".into(),
        value: b"sk-1".to_vec(),
        ..SetSecretRequest::default()
    };
    let secret = (String::new(), "connection:openai".to_owned());
    assert_eq!(read("/vault.v1.Secrets/Set", &set.encode_to_vec()), secret);
    let save = SaveConnectionRequest {
        connection: Some(v1::Connection {
            id: "openai".into(),
            ..v1::Connection::default()
        }),
        key: Some(b"sk-1".to_vec()),
        create: true,
    };
    let saved = (String::new(), "openai".to_owned());
    assert_eq!(
        read("/vault.v1.Connections/Save", &save.encode_to_vec()),
        saved
    );
}

#[test]
fn what_is_malformed_or_cut_short_has_no_name() {
    let put = PutDocumentRequest {
        store: "notes".into(),
        id: "one".into(),
        ..PutDocumentRequest::default()
    };
    let whole = put.encode_to_vec();
    let names = Names::of("/vault.v1.Documents/Put").expect("a row");
    for end in 0..whole.len() {
        let about = names.read(&whole[..end]);
        assert!(about.object.is_empty(), "{end}: {about:?}");
    }
    assert_eq!(
        names.read(b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"),
        About::default()
    );
    assert!(
        Names::of("/vault.v1.Vault/Unlock").is_none(),
        "no passphrase is looked for"
    );
}
