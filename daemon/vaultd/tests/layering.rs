//! The layers of the workspace hold: who may depend on whom, which package stays in which crate, and
//! what no source file may contain.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package};

/// Each crate of the workspace, where it lies, and the crates of the workspace it may stand on.
const CRATES: &[(&str, &str, &[&str])] = &[
    ("vault-proto", "proto", &[]),
    ("vault-crypto", "daemon/crypto", &[]),
    ("vault-keyring", "daemon/keyring", &["vault-crypto"]),
    ("vault-store", "daemon/store", &["vault-crypto"]),
    (
        "vault-auth",
        "daemon/auth",
        &["vault-crypto", "vault-store"],
    ),
    (
        "vaultd",
        "daemon/vaultd",
        &[
            "vault-crypto",
            "vault-keyring",
            "vault-store",
            "vault-auth",
            "vault-proto",
        ],
    ),
    (
        "vault-bench",
        "daemon/bench",
        &[
            "vault-crypto",
            "vault-keyring",
            "vault-store",
            "vault-proto",
            "vault-client",
        ],
    ),
    ("vault-client", "client/lib", &["vault-proto"]),
    ("vaultctl", "client/vaultctl", &["vault-client"]),
    ("vault-gateway", "client/gateway", &["vault-client"]),
    ("vault-probes", "client/probes", &["vault-client"]),
];

// The benchmark has a server of its own, which does nothing: the floor of a call.
const WIRE: &[&str] = &["vault-proto", "vaultd", "vault-client", "vault-bench"];
const WEB: &[&str] = &["vault-client", "vault-gateway"];
const CRYPTO: &[&str] = &["vault-crypto"];
const KEYRING: &[&str] = &["vault-keyring"];

/// Packages with one job, and the crates that have that job.
const PACKAGES: &[(&str, &[&str])] = &[
    ("tonic", WIRE),
    ("tonic-prost", WIRE),
    ("tonic-prost-build", WIRE),
    ("tonic-health", WIRE),
    ("tonic-reflection", WIRE),
    ("tonic-types", WIRE),
    // The gateway serves gRPC-Web, and `vaultctl --base-url` speaks it.
    ("tonic-web", &["vault-gateway", "vault-client"]),
    ("axum", &["vault-gateway"]),
    ("webauthn-rs", &["vault-auth"]),
    ("interprocess", &["vaultd", "vault-client"]),
    ("aes-gcm", CRYPTO),
    ("ring", CRYPTO),
    ("age", CRYPTO),
    ("argon2", CRYPTO),
    ("blake3", CRYPTO),
    ("chacha20", CRYPTO),
    ("chacha20poly1305", CRYPTO),
    ("hkdf", CRYPTO),
    ("hmac", CRYPTO),
    ("scrypt", CRYPTO),
    // A hash, and no key: the wire's socket names are made with it, too, what a client read of a
    // database that it hands over, and what `vaultctl service` put in place.
    (
        "sha2",
        &["vault-crypto", "vault-proto", "vault-client", "vaultctl"],
    ),
    // The daemon fetches nothing, and serves nothing but its socket.
    ("hyper", WEB),
    ("rustls", WEB),
    ("rustls-native-certs", &["vault-client"]),
    ("tokio-rustls", WEB),
    ("rusqlite", &["vault-store", "vaultctl", "vault-bench"]),
    ("libsqlite3-sys", &["vaultd"]),
    ("sqlite-vec", &["vaultd"]),
    // `vaultctl auth login --keyring` keeps a token there.
    ("keyring", &["vault-keyring", "vaultctl"]),
    ("keyring-core", KEYRING),
    ("secret-service", KEYRING),
    ("zbus-secret-service-keyring-store", KEYRING),
];

const LONGEST_FILE: usize = 400;

fn root() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    fs::canonicalize(root).expect("the workspace")
}

fn metadata() -> Metadata {
    let mut command = MetadataCommand::new();
    command.manifest_path(root().join("Cargo.toml")).no_deps();
    command.other_options(["--offline".to_owned(), "--locked".to_owned()]);
    command.exec().expect("cargo metadata")
}

/// What a crate is built with. Its tests may use more.
fn built_with(package: &Package) -> impl Iterator<Item = &str> {
    let dependencies = package.dependencies.iter();
    let built = dependencies.filter(|dependency| dependency.kind != DependencyKind::Development);
    built.map(|dependency| dependency.name.as_str())
}

#[test]
fn crates_stand_only_on_the_layers_below_them() {
    let metadata = metadata();
    let packages = metadata.workspace_packages();
    assert!(packages.len() >= 7, "the workspace was read");
    let rules: BTreeMap<&str, _> = CRATES
        .iter()
        .map(|rule| (rule.0, (rule.1, rule.2)))
        .collect();
    for package in packages {
        let name = package.name.as_str();
        let Some((place, below)) = rules.get(name) else {
            panic!("{name} has no place")
        };
        assert_eq!(
            package.manifest_path,
            root().join(place).join("Cargo.toml"),
            "{name}"
        );
        for dependency in built_with(package).filter(|name| rules.contains_key(name)) {
            assert!(
                below.contains(&dependency),
                "{name} must not stand on {dependency}"
            );
        }
    }
}

#[test]
fn clients_never_stand_on_the_daemon() {
    for (name, place, below) in CRATES.iter().filter(|rule| rule.1.starts_with("client/")) {
        for dependency in *below {
            let (_, other, _) = CRATES
                .iter()
                .find(|rule| rule.0 == *dependency)
                .expect("a rule");
            assert!(
                !other.starts_with("daemon/"),
                "{name} in {place} on {dependency}"
            );
        }
    }
}

#[test]
fn packages_stay_in_the_crates_whose_job_they_do() {
    let metadata = metadata();
    let mut used = 0;
    for package in metadata.workspace_packages() {
        for dependency in built_with(package) {
            let Some((_, homes)) = PACKAGES.iter().find(|rule| rule.0 == dependency) else {
                continue;
            };
            used += 1;
            assert!(
                homes.contains(&package.name.as_str()),
                "{} uses {dependency}",
                package.name
            );
        }
    }
    assert!(used > 10, "the packages were seen");
}

/// Every source file of the workspace.
fn sources() -> Vec<PathBuf> {
    let mut folders = vec![
        root().join("proto"),
        root().join("daemon"),
        root().join("client"),
    ];
    let mut sources = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("listed") {
            let path = entry.expect("an entry").path();
            let built = path.file_name().is_some_and(|name| name == "target");
            if path.is_dir() && !built {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                sources.push(path);
            }
        }
    }
    assert!(sources.len() > 50, "the sources were found");
    sources
}

/// Whether code contains a word, comments aside.
fn contains(source: &str, word: &str) -> bool {
    let part_of_a_name = |c: char| c.is_alphanumeric() || c == '_';
    source.lines().any(|line| {
        let code = line.split("//").next().unwrap_or_default();
        code.match_indices(word).any(|(at, _)| {
            !code[..at].ends_with(part_of_a_name)
                && !code[at + word.len()..].starts_with(part_of_a_name)
        })
    })
}

#[test]
fn no_source_file_contains_what_none_may() {
    // Written in two, so that this file does not contain them.
    let unchecked = concat!("un", "safe");
    let unfinished = [concat!("to", "do!"), concat!("unimple", "mented!")];
    let platform = root().join("daemon/vaultd/src/platform");
    let mut wrong = Vec::new();
    for path in sources() {
        let source = fs::read_to_string(&path).expect("UTF-8");
        let shown = path.strip_prefix(root()).expect("inside").display();
        if contains(&source, unchecked) && !path.starts_with(&platform) {
            wrong.push(format!("{shown} holds {unchecked} code"));
        }
        for word in unfinished.iter().filter(|word| contains(&source, word)) {
            wrong.push(format!("{shown} holds {word}"));
        }
        let lines = source.lines().count();
        if lines > LONGEST_FILE {
            wrong.push(format!("{shown} has {lines} lines, over {LONGEST_FILE}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn words_are_found_and_parts_of_words_are_not() {
    let word = concat!("un", "safe");
    assert!(contains(&format!("let x = {word} {{ y }};"), word));
    assert!(contains(&format!("{word} fn f() {{}}"), word));
    assert!(!contains(&format!("#![forbid({word}_code)]"), word));
    assert!(!contains(&format!("f(); // not {word}"), word));
}
