//! `ERRORS.md` is what the contract says of each reason, so that nobody has to read the contract.

use std::{env, fmt::Write as _, fs, path::Path};

use prost::Message as _;
use prost_types::{FileDescriptorProto, FileDescriptorSet};
use vault_proto::{FILE_DESCRIPTOR_SET, reason::DOMAIN, v1::Reason};

const FILE: &str = "vault/v1/errors.proto";
/// Where descriptors keep enums, and enums their values.
const ENUM: i32 = 5;
const VALUE: i32 = 2;

/// The comment that stands before an element of the file.
fn comment(file: &FileDescriptorProto, path: &[i32]) -> String {
    let mut found = file.source_code_info.iter().flat_map(|info| &info.location);
    let found = found.find(|location| location.path == path);
    let text = found.map_or("", |location| location.leading_comments());
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The code's name as most languages have it, such as `FAILED_PRECONDITION`.
fn status_name(reason: Reason) -> String {
    let mut name = String::new();
    for letter in format!("{:?}", reason.code()).chars() {
        if letter.is_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.extend(letter.to_uppercase());
    }
    name
}

/// The table. What a comment says from `Metadata "` on has a column of its own.
fn table() -> String {
    let set = FileDescriptorSet::decode(FILE_DESCRIPTOR_SET).expect("compiled descriptors");
    let file = set.file.iter().find(|file| file.name() == FILE);
    let file = file.expect("the file of reasons");
    let mut table = format!(
        "# Why a call fails\n\n\
         Made from `{FILE}` by `cargo test -p vault-proto`.\n\n{}\n\n\
         | Reason | gRPC status | What it means, and what leads out | Metadata |\n\
         |---|---|---|---|\n",
        comment(file, &[ENUM, 0]).replace("\"vaultd\"", &format!("`{DOMAIN}`")),
    );
    for (index, value) in (0..).zip(&file.enum_type[0].value) {
        let reason = Reason::from_str_name(value.name()).expect("a value of the enum");
        if reason == Reason::Unspecified {
            continue;
        }
        let comment = comment(file, &[ENUM, 0, VALUE, index]).replace('|', "\\|");
        assert!(!comment.is_empty(), "{} says nothing", value.name());
        let (meaning, metadata) = match comment.find("Metadata \"") {
            Some(place) => (&comment[..place], &comment[place + "Metadata ".len()..]),
            None => (comment.as_str(), ""),
        };
        let row = [
            format!("`{}`", reason.wire_name()),
            status_name(reason),
            meaning.trim().to_owned(),
            metadata.replace('"', "`"),
        ];
        writeln!(table, "| {} |", row.join(" | ")).expect("memory takes it");
    }
    table
}

#[test]
fn the_table_says_what_the_contract_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("ERRORS.md");
    let table = table();
    if env::var_os("VAULTD_WRITE_TABLE").is_some() {
        fs::write(&path, &table).expect("written");
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == table,
        "ERRORS.md is not what {FILE} says: VAULTD_WRITE_TABLE=1 cargo test -p vault-proto writes it"
    );
}
