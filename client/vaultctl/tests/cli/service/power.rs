//! Without a manager, beside another daemon; what runs, and its log.

use std::fs;

use serde_json::Value;

use super::{UNITS, User};

#[test]
fn a_dry_run_does_nothing_and_needs_no_manager() {
    let user = User::new();
    fs::write(user.path("no-manager"), "").expect("written");
    let (said, lines) = user.does("service install --with-gateway --dry-run");
    assert!(said.contains("would put "), "{said}");
    assert!(
        said.contains(
            "would run     systemctl --user enable --now vaultd.socket vault-gateway.service"
        ),
        "{said}"
    );
    assert!(
        lines.iter().all(|line| line.contains(" show ")),
        "{lines:?}"
    );
    assert_eq!(user.modes(), []);

    let (said, _) = user.does("--json service install --dry-run");
    let steps: Vec<Value> = said
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert!(steps.iter().all(|step| step["dry_run"] == true));
    assert_eq!(steps[0]["step"], "put");
}

#[test]
fn without_a_manager_of_the_user_nothing_is_done_and_the_way_out_is_said() {
    let user = User::new();
    fs::write(user.path("no-manager"), "").expect("written");
    for verb in ["install", "uninstall", "start", "stop", "status"] {
        let (code, said) = user.fails(&format!("service {verb}"));
        assert_eq!(code, Some(1), "{said}");
        assert!(
            said.contains("Failed to connect to bus") && said.contains("ssh"),
            "{said}"
        );
    }
    assert_eq!(user.modes(), []);
    // Where the tests run there may be a real one.
    user.program("tools/systemctl", "#!/nonexistent\n");
    let (code, said) = user.fails("service install");
    assert_eq!((code, user.modes()), (Some(1), Vec::new()), "{said}");
}

#[test]
fn a_vault_elsewhere_is_not_what_the_service_keeps() {
    let user = User::new();
    let (code, said) = user.fails("--data-dir /srv/vault service install");
    assert!(code == Some(2) && said.contains("default folder"), "{said}");
    assert_eq!(user.modes(), []);
}

#[test]
fn status_shows_units_programs_and_what_was_changed() {
    let user = User::new();
    let (code, said) = user.fails("service status");
    assert!(
        code == Some(3) && said.contains("service install"),
        "{said}"
    );
    user.does("service install");
    fs::write(user.path(UNITS).join("vaultd.socket"), "[Socket]\n").expect("written");
    let (said, _) = user.does("--json service status");
    let lines: Vec<Value> = said
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    let unit = |name: &str| {
        lines
            .iter()
            .find(|line| line["unit"] == name)
            .expect("a unit")
    };
    assert_eq!(unit("vaultd.socket")["standing"], "changed");
    assert_eq!(unit("vaultd.socket")["enabled"], true);
    assert_eq!(unit("vaultd.socket")["activity"], "active (x)");
    assert_eq!(unit("vaultd.service")["standing"], "installed");
    assert_eq!(unit("vault-gateway.service")["standing"], "absent");
    let program = lines.last().expect("a program");
    assert_eq!(
        program["program"],
        user.path(".local/bin/vaultd").to_str().expect("UTF-8")
    );
    assert_eq!(program["version"], "9.8.7");
    let (said, _) = user.does("service status");
    assert!(
        said.contains("vaultd.socket") && said.contains("9.8.7"),
        "{said}"
    );
}

#[test]
fn logs_are_those_of_journalctl() {
    let user = User::new();
    user.program("tools/journalctl", "#!/bin/sh\necho \"$@\"; exit 3\n");
    let output = user.run("service logs -f -n 5 -- --since today");
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "--user-unit=vaultd.socket --user-unit=vaultd.service --user-unit=vault-gateway.service \
         --user-unit=vaultd-backup.service --follow --lines=5 --since today\n"
    );
}

#[test]
fn a_daemon_that_runs_by_itself_makes_room() {
    let user = User::new();
    let daemon = crate::vaultd();
    fs::remove_file(user.path("from/vaultd")).expect("removed");
    fs::hard_link(&daemon, user.path("from/vaultd"))
        .or_else(|_| fs::copy(&daemon, user.path("from/vaultd")).map(|_| ()))
        .expect("copied");
    let started: Value = serde_json::from_str(&user.does("status --json").0).expect("JSON");
    let process = format!("/proc/{}", started["pid"]);
    let runs = || {
        // Where nobody waits for it, it stays as a zombie.
        let stat = fs::read_to_string(format!("{process}/stat")).unwrap_or_default();
        !stat.is_empty() && !stat.contains(") Z ")
    };
    assert!(runs());
    let (said, _) = user.does("service install");
    assert!(said.contains("has ended"), "{said}");
    assert!(!runs(), "it has let go of the vault");
}
