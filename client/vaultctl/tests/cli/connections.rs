//! Connections as scripts use them: the key comes from standard input.

use super::{
    Daemon,
    databases::{done, failed},
    vaultd,
};

const KEY: &str = "sk-0123456789";

const ADD: &[&str] = &[
    "connection",
    "add",
    "openai",
    "--name",
    "Open AI",
    "--base-url",
    "https://api.openai.com/v1",
    "--compatibility",
    "openai",
];

fn add(more: &[&'static str]) -> Vec<&'static str> {
    [ADD, more].concat()
}

#[test]
fn a_key_goes_into_the_keyring_and_is_shown_nowhere() {
    let daemon = Daemon::start(&vaultd());
    let key = format!("{KEY}\r\n");
    let mut shown = done(&daemon, &add(&["--key-stdin", "--activate"]), &key);
    assert_eq!(
        done(&daemon, &["secret", "get", "connection:openai"], ""),
        KEY
    );
    for arguments in [
        &["connection", "ls"][..],
        &["connection", "ls", "--json"],
        &["connection", "show", "openai"],
        &["connection", "show", "--json"],
        &["connection", "activate", "openai", "--json"],
        &["doc", "get", "connections", "openai"],
        &["secret", "ls", "--json"],
    ] {
        shown += &done(&daemon, arguments, "");
    }
    assert!(!shown.contains(KEY), "{shown}");
    let listed = done(&daemon, &["connection", "ls"], "");
    let row = "openai  Open AI  https://api.openai.com/v1  yes  yes";
    assert!(listed.contains(row), "{listed}");
    let json = done(&daemon, &["connection", "show", "--json"], "");
    assert!(
        json.contains(r#""has_secret":true,"active":true"#),
        "{json}"
    );
}

#[test]
fn what_is_there_is_changed_only_where_that_is_asked_for() {
    let daemon = Daemon::start(&vaultd());
    done(&daemon, &add(&["--key-stdin"]), KEY);
    let (code, said) = failed(&daemon, &add(&["--no-key"]), "");
    assert!(code == 5 && said.contains("--replace"), "{code}: {said}");
    let replace = ["connection", "add", "openai", "--replace"];
    let renamed = [&replace[..], &["--no-key", "--name", "Other"]].concat();
    let told = done(&daemon, &renamed, "");
    for kept in ["Other", "https://api.openai.com/v1", "key         yes"] {
        assert!(told.contains(kept), "{told}");
    }
    done(
        &daemon,
        &[&replace[..], &["--key-stdin"]].concat(),
        "another",
    );
    let key = done(&daemon, &["secret", "get", "connection:openai"], "");
    assert_eq!(key, "another");
    let unknown = ["connection", "add", "nobody", "--replace", "--no-key"];
    assert_eq!(failed(&daemon, &unknown, "").0, 3);

    let remove = ["connection", "rm", "openai"];
    let (code, said) = failed(&daemon, &remove, "");
    assert!(code == 2 && said.contains("--yes"), "{said}");
    done(
        &daemon,
        &[&remove[..], &["--key-only", "--yes"]].concat(),
        "",
    );
    let kept = done(&daemon, &["connection", "show", "openai"], "");
    assert!(kept.contains("key         no"), "{kept}");
    done(&daemon, &[&remove[..], &["--yes"]].concat(), "");
    assert_eq!(done(&daemon, &["connection", "ls"], ""), "");
    assert_eq!(failed(&daemon, &["connection", "show"], "").0, 3);
}

#[test]
fn a_connection_without_a_word_about_its_key_is_a_mistake() {
    let daemon = Daemon::start(&vaultd());
    for (arguments, input, what) in [
        (add(&[]), "", "--key-stdin"),
        (add(&["--key-stdin"]), "", "empty"),
        (add(&["--key-stdin", "--no-key"]), "", "cannot be used with"),
        (add(&["--key", KEY]), "", "unexpected argument"),
        (vec!["connection", "add", "a", "--no-key"], "", "--base-url"),
        (
            vec![
                "connection",
                "add",
                "a",
                "--no-key",
                "--name",
                "A",
                "--base-url",
                "https://name:word@a.example",
            ],
            "",
            "no password",
        ),
    ] {
        let (code, said) = failed(&daemon, &arguments, input);
        assert!(
            code == 2 && said.contains(what),
            "{arguments:?}: {code}: {said}"
        );
    }
    assert_eq!(done(&daemon, &["connection", "ls"], ""), "");
    assert_eq!(done(&daemon, &["secret", "ls", "--json"], ""), "");
}

#[test]
fn a_url_that_is_not_public_is_not_fetched() {
    let daemon = Daemon::start(&vaultd());
    for (url, expected, what) in [
        ("http://127.0.0.1:1/a.png", 4, "only public addresses"),
        ("http://0x7f.1:1/a.png", 4, "only public addresses"),
        (
            "http://[fd00:ec2::254]/",
            4,
            "the metadata service of a cloud",
        ),
        ("ftp://a.example/", 2, "only http and https"),
        ("http://name:word@a.example/", 2, "without them"),
        ("a.png", 2, "not a URL"),
    ] {
        let (code, said) = failed(&daemon, &["blob", "put", "--url", url], "");
        assert!(
            code == expected && said.contains(what),
            "{url}: {code}: {said}"
        );
    }
    let both = ["blob", "put", "a.png", "--url", "http://a.example/"];
    assert_eq!(failed(&daemon, &both, "").0, 2);
}
