//! What is put in place, what is left alone, what is removed.

use std::{fs, path::Path};

use serde_json::Value;

use super::{PROGRAM, RECORD, SHOW, UNITS, User, expected};

#[test]
fn a_service_is_installed_kept_and_removed_again() {
    let user = User::new();
    let (said, lines) = user.does("service install");
    assert_eq!(
        lines,
        [
            "systemctl --user show-environment",
            SHOW,
            "systemctl --user daemon-reload",
            "systemctl --user stop vaultd.socket vaultd.service",
            "systemctl --user enable --now vaultd.socket",
        ]
    );
    assert!(
        said.contains("put     ") && said.contains("is not on your PATH"),
        "{said}"
    );
    let installed = [
        (".config/systemd/user/vaultd.service", 0o644),
        (".config/systemd/user/vaultd.socket", 0o644),
        RECORD,
        (".local/bin/vaultctl", 0o755),
        (".local/bin/vaultd", 0o755),
    ];
    assert_eq!(user.modes(), expected(&installed));
    for unit in ["vaultd.socket", "vaultd.service"] {
        let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../systemd");
        let written = fs::read(repository.join(unit)).expect("readable");
        assert_eq!(
            fs::read(user.path(UNITS).join(unit)).expect("there"),
            written
        );
    }

    // Nothing is written again, and nothing is stopped.
    let before = user.files();
    let (said, lines) = user.does("service install");
    assert!(!said.contains("put     "), "{said}");
    assert_eq!(
        lines[2..],
        [
            "systemctl --user daemon-reload",
            "systemctl --user is-active --quiet vaultd.socket",
            "systemctl --user enable --now vaultd.socket",
        ]
    );
    assert_eq!(user.files(), before);

    let data = user.path(".local/share/vaultd/vault.json");
    fs::create_dir_all(data.parent().expect("a folder")).expect("a folder");
    fs::write(&data, "{}").expect("written");
    fs::write(user.path(".local/bin/other"), "").expect("written");
    let (_, lines) = user.does("service uninstall");
    assert_eq!(
        lines[2..],
        [
            "systemctl --user disable --now vaultd.socket",
            "systemctl --user stop vaultd.service",
            "systemctl --user daemon-reload",
        ]
    );
    let left: Vec<_> = user.files().into_keys().collect();
    assert_eq!(left, [".local/bin/other", ".local/share/vaultd/vault.json"]);
    let (said, lines) = user.does("service uninstall");
    assert!(said.contains("no service") && lines.len() == 2, "{said}");
}

#[test]
fn parts_that_were_asked_for_once_come_along_with_every_new_version() {
    let user = User::new();
    let all = "vaultd.socket vault-gateway.service vaultd-backup.timer";
    let (code, said) = user.fails("service install --with-backup");
    assert!(
        code == Some(2) && said.contains("backup.recipients"),
        "{said}"
    );
    let recipients = user.path(".config/vaultd/backup.recipients");
    fs::create_dir_all(recipients.parent().expect("a folder")).expect("a folder");
    fs::write(&recipients, "age1x\n").expect("written");
    let (_, lines) = user.does("service install --with-gateway --with-backup");
    let enabled = format!("systemctl --user enable --now {all}");
    assert_eq!(lines.last(), Some(&enabled));
    let names: Vec<_> = user.files().into_keys().collect();
    for name in [
        "vault-gateway.service",
        "vaultd-backup.service",
        "vaultd-backup.timer",
    ] {
        assert!(names.contains(&format!("{UNITS}/{name}")), "{names:?}");
    }
    assert!(names.contains(&".local/bin/vault-gateway".to_owned()));

    user.program(
        "from/vault-gateway",
        "#!/bin/sh\necho vault-gateway 9.9.0\n",
    );
    let (said, lines) = user.does("service install");
    let put: Vec<_> = said
        .lines()
        .filter(|line| line.starts_with("put"))
        .collect();
    assert!(
        put.len() == 1 && put[0].ends_with("/.local/bin/vault-gateway"),
        "{said}"
    );
    let stopped = format!("systemctl --user stop {all} vaultd.service");
    assert_eq!(lines[3..], [stopped, enabled]);

    user.does("service stop");
    let (_, lines) = user.does("service start");
    assert_eq!(lines.last(), Some(&format!("systemctl --user start {all}")));
    user.does("service uninstall");
    let left: Vec<_> = user.files().into_keys().collect();
    assert_eq!(left, [".config/vaultd/backup.recipients"]);
}

#[test]
fn what_the_user_has_changed_is_neither_replaced_unasked_nor_removed() {
    let user = User::new();
    user.does("service install");
    let unit = user.path(UNITS).join("vaultd.service");
    fs::write(&unit, "[Service]\n").expect("written");
    let before = user.files();
    let (code, said) = user.fails("service install");
    assert_eq!(code, Some(5), "{said}");
    assert!(
        said.contains("vaultd.service") && said.contains("--force"),
        "{said}"
    );
    assert!(!said.contains("vaultd.socket"), "{said}");
    assert_eq!(user.files(), before);
    assert!(
        user.lines().iter().all(|line| line.contains(" show")),
        "only looked"
    );

    let (said, _) = user.does("service install --force");
    assert!(
        said.contains("replace ") && said.contains("vaultd.service"),
        "{said}"
    );
    assert!(
        fs::read_to_string(&unit)
            .expect("there")
            .contains("ExecStart=")
    );

    // A link is the user's own, even to what would be put there.
    fs::write(&unit, "[Service]\n").expect("written");
    let program = user.path(".local/bin/vaultd");
    fs::remove_file(&program).expect("removed");
    std::os::unix::fs::symlink(user.path("from/vaultd"), &program).expect("a link");
    let (said, _) = user.does("service uninstall");
    assert!(said.contains("leave   "), "{said}");
    let left: Vec<_> = user.files().into_keys().collect();
    assert_eq!(
        left,
        [&format!("{UNITS}/vaultd.service"), ".local/bin/vaultd"]
    );
}

#[test]
fn an_installation_that_was_interrupted_is_taken_up_again() {
    let user = User::new();
    user.does("service install");
    // As if it had stopped between two files: the record knows both, a place has the earlier one.
    let record = user.path(RECORD.0);
    let noted = fs::read(&record).expect("there");
    let mut files: Value = serde_json::from_slice(&noted).expect("JSON");
    let program = user.path(".local/bin/vaultd");
    let digests = &mut files[program.to_str().expect("UTF-8")];
    // Of an empty file.
    let earlier = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    digests
        .as_array_mut()
        .expect("digests")
        .push(earlier.into());
    fs::write(&record, files.to_string()).expect("written");
    fs::write(&program, "").expect("written");
    user.does("service install");
    assert_eq!(fs::read_to_string(&program).expect("there"), PROGRAM);
    assert_eq!(fs::read(&record).expect("there"), noted);
}
