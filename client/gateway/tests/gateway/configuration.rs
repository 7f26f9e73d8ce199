//! `gateway.toml` and flags.

use std::path::PathBuf;

use vault_gateway::config::{Config, Flags};

use crate::support::{configured, flags};

fn refused(toml: &str) -> String {
    configured(toml).expect_err("refused").to_string()
}

#[test]
fn nothing_needs_to_be_said() {
    let (config, _folder) = configured("").expect("valid");
    assert_eq!(config.bind, ([127, 0, 0, 1], 7787).into());
    assert!(config.tls.is_none());
    assert!(config.trusted_proxies.is_empty() && config.cors_origins.is_empty());
}

#[test]
fn a_flag_wins_over_the_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("gateway.toml");
    std::fs::write(&file, "bind = '127.0.0.1:1'\nlog = 'debug'").expect("written");
    let flags = Flags {
        bind: Some(([127, 0, 0, 1], 2).into()),
        ..flags(&folder, Some(file))
    };
    let config = Config::load(&flags).expect("valid");
    assert_eq!(config.bind.port(), 2);
    assert_eq!(config.log, "debug");
}

#[test]
fn what_cannot_be_used_is_named() {
    for (toml, named) in [
        ("bnd = '127.0.0.1:1'", "bnd"),
        ("[limits]\nconections = 1", "conections"),
        ("[limits]\nconnections = 0", "limits.connections"),
        ("tls_cert = 'cert.pem'", "tls_key"),
        ("tls_key = 'key.pem'", "tls_cert"),
        ("trusted_proxies = ['10.0.0.0/40']", "10.0.0.0/40"),
        ("cors_origins = ['*']", "`*`"),
        ("cors_origins = ['null']", "`null`"),
        ("cors_origins = ['https://example.org/path']", "/path"),
        ("[aliases]\nauth = 'chat/conversations'", "aliases.auth"),
        ("[aliases]\n'a/b' = 'chat/conversations'", "aliases.a/b"),
    ] {
        let error = refused(toml);
        assert!(error.contains(named), "{toml}: {error}");
    }
    let folder = tempfile::tempdir().expect("a folder");
    let flags = flags(&folder, Some(PathBuf::from("/nowhere/gateway.toml")));
    let error = Config::load(&flags).expect_err("refused").to_string();
    assert!(error.contains("/nowhere/gateway.toml"), "{error}");
}

#[test]
fn lists_are_lists_or_text_with_commas() {
    for proxies in ["['10.0.0.0/8', '::1']", "'10.0.0.0/8, ::1'"] {
        let toml = format!("trusted_proxies = {proxies}");
        let (config, _folder) = configured(&toml).expect("valid");
        let networks: Vec<String> = config
            .trusted_proxies
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(networks, ["10.0.0.0/8", "::1/128"]);
    }
}

#[test]
fn origins_are_written_as_browsers_send_them() {
    let (config, _folder) =
        configured("cors_origins = ['HTTPS://App.Example.org:443/', 'http://localhost:5173']")
            .expect("valid");
    let origins = ["https://app.example.org", "http://localhost:5173"];
    assert_eq!(config.cors_origins, origins);
}
