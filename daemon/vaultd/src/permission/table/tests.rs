//! The table fits the contract.

use prost::Message as _;
use prost_types::FileDescriptorSet;

use super::*;

fn methods(descriptors: &[u8]) -> Vec<(String, bool)> {
    let set = FileDescriptorSet::decode(descriptors).expect("compiled descriptors");
    let mut methods = Vec::new();
    for file in &set.file {
        for service in &file.service {
            for method in &service.method {
                let streams = method.client_streaming() || method.server_streaming();
                let path = format!("/{}.{}/{}", file.package(), service.name(), method.name());
                methods.push((path, streams));
            }
        }
    }
    methods
}

#[test]
fn every_method_has_a_rule_and_every_rule_a_method() {
    let mut all = methods(vault_proto::FILE_DESCRIPTOR_SET);
    all.extend(methods(tonic_health::pb::FILE_DESCRIPTOR_SET));
    all.extend(methods(tonic_reflection::pb::v1::FILE_DESCRIPTOR_SET));
    all.extend(methods(tonic_reflection::pb::v1alpha::FILE_DESCRIPTOR_SET));
    assert!(all.len() > 20, "the walk found the methods");
    for (method, streams) in &all {
        let rule = find(method).unwrap_or_else(|| panic!("{method} has no rule"));
        assert_eq!(rule.shape == Shape::Stream, *streams, "{method}");
    }
    for rule in TABLE {
        let known = all.iter().any(|(method, _)| method == rule.method);
        assert!(known, "{}", rule.method);
    }
}

#[test]
fn whoever_is_let_in_for_a_while_makes_nothing_that_lasts() {
    for method in [
        "Tokens/Create",
        "Logins/Decide",
        "Logins/Authorize",
        "Pairing/Create",
        "Pairing/AddHost",
        "Keys/Export",
        "Keys/Move",
        "Auth/Configure",
    ] {
        let rule = find(&format!("/vault.v1.{method}")).expect(method);
        assert!(!rule.principals.contains(&Open), "{method}");
    }
}

#[test]
fn what_is_not_in_the_table_is_not_found() {
    assert!(find("/vault.v1.Documents/Get").is_some());
    for method in [
        "/vault.v1.Documents/Steal",
        "/vault.v1.Documents/Get/",
        "/VAULT.v1.Documents/Get",
        "",
    ] {
        assert!(find(method).is_none(), "{method}");
    }
}
