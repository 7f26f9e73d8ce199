//! Where the log goes. That it reaches a real journal with its fields, `.ci/systemd-service` shows.

use std::{fs, os::unix::fs::MetadataExt as _};

use crate::support::Home;

#[tokio::test]
async fn stderr_that_is_not_the_journal_gets_the_log() {
    let home = Home::new();
    let log = home.path("root.log");
    fs::write(&log, "").expect("written");
    let file = fs::metadata(&log).expect("there");
    // Left over from a session whose streams went to the journal: those of a shell, say.
    let others = [
        format!("{}:{}", file.dev(), file.ino() + 1),
        format!("{}:{}", file.dev() + 1, file.ino()),
        String::new(),
    ];
    for stream in others {
        let mut command = home.vaultd("root");
        command.arg("--ephemeral").env("JOURNAL_STREAM", &stream);
        let mut daemon = home.serve("root", command);
        daemon.client().await.status().await.expect("served");
        assert!(daemon.terminate().await.success());
        assert!(daemon.log().contains("stopped"), "{stream}");
        fs::write(&log, "").expect("emptied");
    }
}
