//! Puts documents and gets each of them back, one after the other, and prints how many came back as they
//! were.
//!
//! usage: `probe-round-trips DATA_DIR STORE COUNT`

use vault_client::{Client, NewDocument, Options};

/// Whatever goes wrong ends it.
type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [data_dir, store, count] = arguments.as_slice() else {
        return Err("usage: probe-round-trips DATA_DIR STORE COUNT".into());
    };
    let options = Options {
        data_dir: Some(data_dir.into()),
        no_autostart: true,
        ..Options::default()
    };
    let client = Client::connect(&options).await?;
    let mut same = 0;
    for number in 0..count.parse::<u32>()? {
        let id = format!("document-{number}");
        let body = format!("{{\"number\":{number}}}");
        let document = NewDocument::json(id.as_str(), body.as_bytes());
        client.put(store, document).await?;
        if client.get(store, &id).await?.body == body.as_bytes() {
            same += 1;
        }
    }
    println!("{same} documents came back");
    Ok(())
}
