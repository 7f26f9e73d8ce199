//! An honest client: reads a document again and again, writes it now and then, rests between calls,
//! and prints how long they took, in microseconds, as JSON.
//!
//! usage: `probe-latency DATA_DIR SOCKET STORE ID SECONDS`

use std::time::{Duration, Instant};

use vault_client::{Client, NewDocument, Options};

/// Whatever goes wrong ends it.
type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Between two calls, so that it does not compete for the processors.
const REST: Duration = Duration::from_millis(1);
/// One call in so many writes.
const WRITES: u32 = 8;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [data_dir, socket, store, id, seconds] = arguments.as_slice() else {
        return Err("usage: probe-latency DATA_DIR SOCKET STORE ID SECONDS".into());
    };
    let options = Options {
        data_dir: Some(data_dir.into()),
        socket: Some(socket.into()),
        no_autostart: true,
        ..Options::default()
    };
    let client = Client::connect(&options).await?;
    let end = Instant::now() + Duration::from_secs(seconds.parse()?);
    let body = format!(r#"{{"text":"{}"}}"#, "x".repeat(1000)).into_bytes();
    let (mut reads, mut writes) = (Vec::new(), Vec::new());
    for turn in 0.. {
        let begun = Instant::now();
        if begun > end {
            break;
        }
        if turn % WRITES == 0 {
            let document = NewDocument::json(id.clone(), body.clone());
            client.put(store, document).await?;
            writes.push(begun.elapsed());
        } else {
            client.get(store, id).await?;
            reads.push(begun.elapsed());
        }
        tokio::time::sleep(REST).await;
    }
    let (reads, writes) = (described(reads), described(writes));
    println!(r#"{{"reads":{reads},"writes":{writes}}}"#);
    Ok(())
}

/// How many there were, and what half of them, 99 % and all of them took at most.
fn described(mut times: Vec<Duration>) -> String {
    times.sort_unstable();
    let at = |percent: usize| {
        let place = (times.len() * percent / 100).min(times.len().saturating_sub(1));
        times.get(place).map_or(0, Duration::as_micros)
    };
    let (count, p50, p99, most) = (times.len(), at(50), at(99), at(100));
    format!(r#"{{"count":{count},"p50":{p50},"p99":{p99},"most":{most}}}"#)
}
