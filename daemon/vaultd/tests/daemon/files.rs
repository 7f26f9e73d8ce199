//! The Files service: ordinary files of any size under their own names.

mod hostile;

use std::fs;

use vault_client::{
    Client, ContentRange, Error, File, ListedFile, NewFile, StoreKind, StoreOptions,
};

use crate::support::{Home, random::Random, reason, soon};

const MIB: usize = 1 << 20;
const STORE: &str = "chat/models";

fn content(seed: u64, len: usize) -> Vec<u8> {
    let mut random = Random::new(seed);
    let mut content = Vec::with_capacity(len + 8);
    while content.len() < len {
        content.extend_from_slice(&random.below(u64::MAX).to_le_bytes());
    }
    content.truncate(len);
    content
}

fn new(name: &str) -> NewFile {
    NewFile {
        name: name.to_owned(),
        ..NewFile::default()
    }
}

async fn put(client: &Client, new: NewFile, content: &[u8]) -> Result<File, Error> {
    soon("a put", client.put_file(STORE, new, content, |_| {})).await
}

async fn get(client: &Client, name: &str, range: ContentRange) -> Result<Vec<u8>, Error> {
    let mut download = client.download_file(STORE, name, range).await?;
    let mut content = Vec::new();
    while let Some(chunk) = soon("a chunk", download.next()).await? {
        content.extend_from_slice(&chunk);
    }
    assert_eq!(content.len() as u64, download.size());
    Ok(content)
}

async fn listed(client: &Client, prefix: &str) -> (Vec<String>, Vec<String>) {
    let mut list = client.list_files(STORE, prefix).await.expect("begun");
    let (mut names, mut skipped) = (Vec::new(), Vec::new());
    while let Some(entry) = list.next().await.expect("listed") {
        match entry {
            ListedFile::File(file) => names.push(file.name),
            ListedFile::Skipped { name, .. } => skipped.push(name),
        }
    }
    (names, skipped)
}

#[tokio::test]
async fn files_of_any_size_go_in_and_out_and_lie_where_people_find_them() {
    let home = Home::new();
    let daemon = home.ephemeral("root");
    let client = daemon.client().await;
    let all = ContentRange::default();
    for (name, len) in [
        ("empty", 0),
        ("a/card.png", 3),
        ("a/just", MIB),
        ("large", 5 * MIB + 7),
    ] {
        let content = content(1, len);
        let size = len as u64;
        let announced = NewFile {
            size: Some(size),
            ..new(name)
        };
        for new in [new(name), announced] {
            let file = put(&client, new, &content).await.expect("put");
            assert_eq!(
                (file.name.as_str(), file.size, file.sealed),
                (name, size, false)
            );
        }
        assert!(
            get(&client, name, all).await.expect("there") == content,
            "{name}"
        );
        let path = daemon.root.join("plain").join(STORE).join(name);
        assert!(fs::read(path).expect("there") == content, "{name}");
    }
    let card = client.stat_file(STORE, "a/card.png").await.expect("there");
    assert_eq!(card.content_type, "image/png");
    let (names, skipped) = listed(&client, "").await;
    assert_eq!(names, ["a/card.png", "a/just", "empty", "large"]);
    assert!(skipped.is_empty());

    let large = content(1, 5 * MIB + 7);
    for (offset, length) in [
        (0, Some(1)),
        (MIB, Some(3 * MIB)),
        (5 * MIB, None),
        (7, Some(0)),
    ] {
        let range = ContentRange {
            offset: offset as u64,
            length: length.map(|length| length as u64),
        };
        let expected = &large[offset..];
        let expected = &expected[..length.unwrap_or(expected.len())];
        assert!(get(&client, "large", range).await.expect("there") == expected);
    }
    let beyond = ContentRange {
        offset: 6 * MIB as u64,
        length: None,
    };
    assert_eq!(
        reason(get(&client, "large", beyond).await),
        "INVALID_ARGUMENT"
    );

    client.delete_file(STORE, "large").await.expect("there");
    assert_eq!(reason(client.stat_file(STORE, "large").await), "NOT_FOUND");
    assert_eq!(
        reason(client.delete_file(STORE, "large").await),
        "NOT_FOUND"
    );
    fs::write(daemon.root.join("plain").join(STORE).join(".hidden"), "x").expect("written");
    assert_eq!(listed(&client, ".").await.1, [".hidden"]);
}

#[tokio::test]
async fn names_are_refused_with_a_reason_that_programs_understand() {
    let home = Home::new();
    let daemon = home.ephemeral("root");
    let client = daemon.client().await;
    put(&client, new("Card.png"), b"1").await.expect("put");
    for (name, expected) in [
        ("../up", "INVALID_ID"),
        ("/etc/passwd", "INVALID_ID"),
        ("nul.txt", "INVALID_ID"),
        ("e\u{301}", "INVALID_ID"),
        ("card.PNG", "ALREADY_EXISTS"),
        ("Card.png/below", "ALREADY_EXISTS"),
    ] {
        for content in [&b"small"[..], &content(1, 2 * MIB)] {
            let refused = put(&client, new(name), content).await;
            assert_eq!(reason(refused), expected, "{name}");
        }
    }
    let create = NewFile {
        create: true,
        ..new("Card.png")
    };
    match put(&client, create, b"2").await {
        Err(Error::Refused(refusal)) => assert_eq!(refusal.metadata["id"], "Card.png"),
        other => panic!("{other:?}"),
    }
    match put(&client, new("card.PNG"), b"2").await {
        Err(Error::Refused(refusal)) => assert_eq!(refusal.metadata["by"], "Card.png"),
        other => panic!("{other:?}"),
    }
    assert_eq!(listed(&client, "").await.0, ["Card.png"]);
    let documents = StoreOptions::default();
    client
        .create_store("notes", &documents)
        .await
        .expect("made");
    assert_eq!(
        reason(client.stat_file("notes", "a").await),
        "INVALID_ARGUMENT"
    );
    assert_eq!(reason(client.stat_file("nowhere", "a").await), "NOT_FOUND");
    let files = StoreOptions {
        kind: StoreKind::Files,
        ..StoreOptions::default()
    };
    let inside = format!("{STORE}/inside");
    assert_eq!(
        reason(client.create_store(&inside, &files).await),
        "INVALID_ARGUMENT"
    );
}

#[tokio::test]
async fn a_large_file_goes_through_in_flat_memory() {
    const MORE_KIB: u64 = 24 << 10;

    let home = Home::new();
    let daemon = home.ephemeral("root");
    let client = daemon.client().await;
    let large = content(1, 160 * MIB);
    put(&client, new("small"), &large[..2 * MIB])
        .await
        .expect("put");
    let before = daemon.memory("VmHWM");
    put(&client, new("large"), &large).await.expect("put");
    let put_at = daemon.memory("VmHWM");
    assert!(put_at < before + MORE_KIB, "{before} KiB, then {put_at}");
    let got = get(&client, "large", ContentRange::default()).await;
    assert!(got.expect("there") == large);
    let got_at = daemon.memory("VmHWM");
    assert!(got_at < before + MORE_KIB, "{before} KiB, then {got_at}");
}
