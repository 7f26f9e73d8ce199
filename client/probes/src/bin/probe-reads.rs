//! Reads one document again and again over several connections, and prints how often in a second.
//!
//! usage: `probe-reads DATA_DIR SOCKET STORE ID CONNECTIONS SECONDS`

use std::time::{Duration, Instant};

use vault_client::{Client, Options};

/// Whatever goes wrong ends it.
type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [data_dir, socket, store, id, connections, seconds] = arguments.as_slice() else {
        return Err("usage: probe-reads DATA_DIR SOCKET STORE ID CONNECTIONS SECONDS".into());
    };
    let options = Options {
        data_dir: Some(data_dir.into()),
        socket: Some(socket.into()),
        no_autostart: true,
        ..Options::default()
    };
    let time = Duration::from_secs(seconds.parse()?);
    let mut readers = tokio::task::JoinSet::new();
    let begun = Instant::now();
    for _ in 0..connections.parse::<usize>()? {
        let client = Client::connect(&options).await?;
        readers.spawn(read(client, store.clone(), id.clone(), begun + time));
    }
    let mut count = 0;
    while let Some(read) = readers.join_next().await {
        count += read??;
    }
    println!("{:.1}", f64::from(count) / begun.elapsed().as_secs_f64());
    Ok(())
}

async fn read(client: Client, store: String, id: String, until: Instant) -> Result<u32> {
    let mut count = 0;
    while Instant::now() < until {
        client.get(&store, &id).await?;
        count += 1;
    }
    Ok(count)
}
