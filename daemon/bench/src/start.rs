//! Start to ready, and memory of an idle daemon, beside GNOME Keyring's.

use std::time::Duration;

use vault_client::{NewDocument, StoreOptions};

use crate::{
    Result,
    daemon::{Daemon, Key},
    dataset::kibibyte,
    keyring::{Session, missing},
    measure::{Blocks, millis},
    report::{Bar, Figure},
};

const MIB: f64 = 1024.0 * 1024.0;

/// Long enough to end whatever a start sets going.
const IDLE: Duration = Duration::from_millis(300);

/// From starting the program to the first answer to `Status`.
async fn ready() -> Result<(Duration, Daemon)> {
    let daemon = Daemon::spawn(Key::Memory)?;
    // Connecting asks for the status.
    daemon.client().await?;
    Ok((daemon.started.elapsed(), daemon))
}

pub(crate) async fn start(quick: bool) -> Result<()> {
    if let Some(program) = missing() {
        eprintln!("rpc: SKIPPED start and memory: there is no {program} to compare with");
        return Ok(());
    }
    // Neither shall wait for what the figures before this one left to be written.
    rustix::fs::sync();
    let (mut own, mut other) = (Blocks::default(), Blocks::default());
    let (mut own_memory, mut other_memory) = (Blocks::default(), Blocks::default());
    for _ in 0..if quick { 3 } else { 11 } {
        let (time, daemon) = ready().await?;
        own.single(millis(time));
        // Its vault open and used, as a keyring's collection is.
        let client = daemon.client().await?;
        client
            .create_store("bench/start", &StoreOptions::default())
            .await?;
        client
            .put("bench/start", NewDocument::json("one", kibibyte()))
            .await?;
        client.get("bench/start", "one").await?;
        drop(client);
        tokio::time::sleep(IDLE).await;
        own_memory.single(daemon.process.resident()? / MIB);
        drop(daemon);

        let session = Session::start()?;
        let keyring = session.keyring()?;
        other.single(millis(keyring.ready));
        tokio::time::sleep(IDLE).await;
        other_memory.single(keyring.process.resident()? / MIB);
    }
    Figure {
        name: "start_to_ready",
        value: own.median(),
        unit: "ms",
        floor: other.median(),
        floor_what: "gnome-keyring-daemon, from its start to its name answering on the bus",
        bar: Bar::AtMost(1.0),
    }
    .print();
    Figure {
        name: "resident_memory_idle",
        value: own_memory.median(),
        unit: "MiB",
        floor: other_memory.median(),
        floor_what: "gnome-keyring-daemon, idle; VmRSS of both",
        bar: Bar::AtMost(1.0),
    }
    .print();
    Ok(())
}
