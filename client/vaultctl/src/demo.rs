//! `vaultctl demo`: a private daemon, a vault in a folder of its own, and nothing left behind.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, Instant},
};

use indicatif::ProgressBar;
use serde_json::Value;
use tokio::process::{Child, Command};
use vault_client::{Client, Error, Listed, NewDocument, Options, Precondition};

use crate::{failure::Failure, import, output};

/// A few conversations, written for this.
const BUNDLED: &str = include_str!("../demo/conversations.json");
const STORE: &str = "chat/conversations";
const PATIENCE: Duration = Duration::from_secs(15);
/// A run of plaintext this long, found on disk, would be no accident. In bytes.
const RUN: usize = 16;
/// How many of the documents' texts are searched for.
const TEXTS: usize = 20_000;

#[derive(clap::Args, Debug)]
pub(crate) struct Demo {
    /// Your own JSON, in any form that `import` takes; a few bundled lines otherwise
    path: Option<PathBuf>,
    /// The member of each document that holds its id, for arrays and JSON Lines
    #[arg(long, value_name = "FIELD")]
    id_field: Option<String>,
}

impl Demo {
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let mut builder = tempfile::Builder::new();
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o700));
        let folder = builder.prefix("vaultd-demo-").tempdir()?;
        let shown = tokio::select! {
            shown = self.show(folder.path()) => shown,
            _ = tokio::signal::ctrl_c() => Err(Failure::other("interrupted")),
        };
        // The daemon was killed when `show` ended or was dropped.
        let path = folder.path().to_owned();
        folder.close()?;
        shown?;
        say(&format!(
            "\nThe daemon has ended and {} is gone. Nothing was left behind.",
            path.display()
        ))
    }

    async fn show(self, folder: &Path) -> Result<(), Failure> {
        let root = folder.join("vault");
        let socket = folder.join("vaultd.sock");
        let (mut daemon, client) = start(&root, &socket).await?;
        say("A private daemon with a key that only its memory holds:")?;
        say(&format!("  vault in {}", root.display()))?;

        let source = if let Some(path) = self.path {
            path
        } else {
            let bundled = folder.join("conversations.json");
            std::fs::write(&bundled, BUNDLED)?;
            bundled
        };
        say(&format!("\n$ vaultctl import {STORE} {}", source.display()))?;
        let begun = Instant::now();
        let summary = import::import(
            &client,
            STORE,
            vec![source],
            self.id_field,
            &ProgressBar::hidden(),
        )
        .await?;
        for problem in summary.rejected.iter().chain(&summary.broken) {
            say(&format!("rejected: {}", output::printable(problem)))?;
        }
        say(&format!(
            "imported {} in {:.2?}",
            summary.imported,
            begun.elapsed()
        ))?;

        let ids = list(&client).await?;
        let Some(id) = ids.first() else {
            return Err(Failure::other(
                "there is nothing to show: no document was imported",
            ));
        };
        read_back(&client, id).await?;
        change(&client, id).await?;
        search(&client, &root, &ids).await?;
        daemon.kill().await?;
        Ok(())
    }
}

fn say(text: &str) -> Result<(), Failure> {
    output::line(text)
}

async fn start(root: &Path, socket: &Path) -> Result<(Child, Client), Failure> {
    let program = vault_client::daemon_program()?;
    let mut daemon = Command::new(&program)
        .args(["--ephemeral", "--log", "warn", "--data-dir"])
        .arg(root)
        .arg("--socket")
        .arg(socket)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| Failure::other(format!("{}: {error}", program.display())))?;
    let options = Options {
        data_dir: Some(root.to_owned()),
        socket: Some(socket.to_owned()),
        no_autostart: true,
        ..Options::default()
    };
    let begun = Instant::now();
    loop {
        match Client::connect(&options).await {
            Ok(client) => return Ok((daemon, client)),
            Err(Error::NoDaemon { .. }) if begun.elapsed() < PATIENCE => {
                if let Some(status) = daemon.try_wait()? {
                    return Err(Failure::other(format!("the daemon ended with {status}")));
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            Err(error) => return Err(error.into()),
        }
    }
}

async fn list(client: &Client) -> Result<Vec<String>, Failure> {
    say(&format!("\n$ vaultctl doc ls {STORE}"))?;
    let mut heads = client.list(STORE, "", false).await?;
    let mut rows = Vec::new();
    let mut ids = Vec::new();
    while let Some(entry) = heads.next().await? {
        if let Listed::Document(head, _) = entry {
            if rows.len() < 5 {
                rows.push(vec![
                    output::printable(&head.id),
                    head.revision.to_string(),
                    output::size(head.body_bytes),
                ]);
            }
            ids.push(head.id);
        }
    }
    output::table(&["ID", "REVISION", "SIZE"], &rows)?;
    if ids.len() > rows.len() {
        say(&format!("... and {} more", ids.len() - rows.len()))?;
    }
    Ok(ids)
}

async fn read_back(client: &Client, id: &str) -> Result<(), Failure> {
    say(&format!(
        "\n$ vaultctl doc get {STORE} {}",
        output::printable(id)
    ))?;
    let document = client.get(STORE, id).await?;
    let text = String::from_utf8_lossy(&document.body);
    // On one line, however it was laid out.
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let beginning: String = text.chars().take(300).collect();
    let more = if beginning.len() < text.len() {
        " ..."
    } else {
        ""
    };
    say(&format!("{}{more}", output::printable(&beginning)))
}

async fn change(client: &Client, id: &str) -> Result<(), Failure> {
    let document = client.get(STORE, id).await?;
    let read = document.head.revision;
    let shown = output::printable(id);
    say(&format!(
        "\n$ echo '{{\"starred\":true}}' | vaultctl doc patch {STORE} {shown}"
    ))?;
    let is_object = document.body.trim_ascii_start().starts_with(b"{");
    let head = if is_object {
        client
            .patch(STORE, id, br#"{"starred":true}"#.to_vec(), None)
            .await?
    } else {
        client
            .put(STORE, NewDocument::json(id, r#"{"starred":true}"#))
            .await?
    };
    say(&format!("{shown} revision {}", head.revision))?;

    say(&format!(
        "\n$ vaultctl doc put {STORE} {shown} --if-revision {read}   # now stale"
    ))?;
    let stale = NewDocument {
        precondition: Precondition::Revision(read),
        ..NewDocument::json(id, "{}")
    };
    match client.put(STORE, stale).await {
        Err(error) if error.reason() == Some("REVISION_CONFLICT") => say(&format!(
            "vaultctl: {error}   (exit code 5, nothing was lost)"
        )),
        Err(error) => Err(error.into()),
        Ok(_) => Err(Failure::other("a stale write was taken: this is a defect")),
    }
}

/// Shows that what was stored stands nowhere on disk.
async fn search(client: &Client, root: &Path, ids: &[String]) -> Result<(), Failure> {
    say(&format!(
        "\n$ grep -r ... {}   # for runs of {RUN} bytes of your text",
        root.display()
    ))?;
    let mut needles = std::collections::HashSet::new();
    for id in ids {
        if needles.len() >= TEXTS {
            break;
        }
        let document = client.get(STORE, id).await?;
        if let Ok(value) = serde_json::from_slice(&document.body) {
            collect(&value, &mut needles);
        }
    }
    let (mut files, mut bytes, mut found) = (0_u64, 0_u64, 0_u64);
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                folders.push(entry.path());
            } else if let Ok(content) = std::fs::read(entry.path()) {
                files += 1;
                bytes += content.len() as u64;
                found += content
                    .windows(RUN)
                    .filter(|run| needles.contains(*run))
                    .count() as u64;
            }
        }
    }
    say(&format!(
        "searched {files} files, {}, for {} runs of text: {found} found",
        output::size(bytes),
        needles.len()
    ))?;
    if found > 0 {
        return Err(Failure::other(
            "plaintext was found on disk: this is a defect",
        ));
    }
    Ok(())
}

/// The first bytes of every longer text in a document.
fn collect(value: &Value, needles: &mut std::collections::HashSet<Vec<u8>>) {
    match value {
        Value::String(text) if text.len() >= RUN => {
            needles.insert(text.as_bytes()[..RUN].to_vec());
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, needles)),
        Value::Object(members) => members.values().for_each(|member| collect(member, needles)),
        _ => {}
    }
}
