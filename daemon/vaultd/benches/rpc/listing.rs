//! Listing heads against opening the same files in process.

use std::{
    io::Read as _,
    path::Path,
    time::{Duration, Instant},
};

use vault_client::{Client, Listed};
use vault_crypto::{
    Address, DataKey, Envelope, Header, KeyId, KeyPurpose, KeyTable, ObjectName, SecretBytes,
    StorageKey, VaultId,
};
use vault_keyring::{Account, EntryName, Interaction, Keyring, PassphraseBackend};
use vault_store::StoreId;

use crate::{
    Result,
    bulk::import_all,
    daemon::{Daemon, Key, PASSPHRASE},
    dataset::kibibyte,
    measure::{Blocks, millis},
    report::{Bar, Figure},
};

const STORE: &str = "bench/list";

/// What opens the heads of one store without the daemon.
struct InProcess {
    vault: VaultId,
    store: StoreId,
    key_id: KeyId,
    key: DataKey,
    objects: std::path::PathBuf,
}

impl InProcess {
    /// Gets the store's key as the daemon does: passphrase, storage key, key table.
    fn unlock(root: &Path) -> Result<Self> {
        let wrapped = std::fs::read(root.join("keys.a"))?;
        let vault = vault_crypto::key_table::TableInfo::parse(&wrapped)?.vault;
        let backend = PassphraseBackend::new(root.to_owned(), None);
        let keyring = Keyring::new(Box::new(backend), Duration::from_secs(30));
        keyring.unlock(Some(&SecretBytes::new(PASSPHRASE.to_vec())))?;
        let account = Account {
            vault,
            name: EntryName::StorageKey,
        };
        let secret = keyring.get(&account, Interaction::Forbidden)?;
        let storage_key = StorageKey::from_bytes(secret.expose()).ok_or("no storage key")?;
        let table = KeyTable::unwrap(&storage_key, &wrapped)?;
        let store = std::fs::read_dir(root.join("stores"))?
            .next()
            .ok_or("no store")??;
        let name = store
            .file_name()
            .into_string()
            .map_err(|_| "a foreign folder")?;
        let (key_id, key) = table.find(&KeyPurpose::store(&name)).ok_or("no data key")?;
        let key = DataKey::from_bytes(key.expose()).ok_or("no data key")?;
        Ok(Self {
            vault,
            store: name.parse()?,
            key_id,
            key,
            objects: store.path().join("objects"),
        })
    }

    /// Opens, reads and decrypts every head; returns how many.
    fn list(&self) -> Result<usize> {
        let mut count = 0;
        let mut beginning = [0; 2048];
        for entry in std::fs::read_dir(&self.objects)? {
            let entry = entry?;
            let name = entry.file_name();
            let name: ObjectName = name.to_str().ok_or("a foreign name")?.parse()?;
            let len = std::fs::File::open(entry.path())?.read(&mut beginning)?;
            let address = Address {
                vault: self.vault,
                store: self.store.as_bytes(),
                object: name.as_bytes(),
                revision: Header::parse(&beginning[..len])?.revision(),
            };
            Envelope::new(&self.key, self.key_id, address, &beginning[..len])?.open_metadata()?;
            count += 1;
        }
        Ok(count)
    }
}

async fn list(client: &Client) -> Result<usize> {
    let mut heads = client.list(STORE, "", false).await?;
    let mut count = 0;
    while let Some(entry) = heads.next().await? {
        match entry {
            Listed::Document(..) => count += 1,
            Listed::Damaged(what) => return Err(what.into()),
        }
    }
    Ok(count)
}

/// Cold (the first after an unlock: the index is built from the files) and warm.
pub(crate) async fn listing(quick: bool) -> Result<()> {
    let (count, rounds) = if quick { (500, 2) } else { (10_000, 9) };
    let daemon = Daemon::start(Key::Passphrase).await?;
    let client = daemon.client().await?;
    client.init(None, Some(PASSPHRASE)).await?;
    let documents = (0..count).map(|number| (format!("document-{number:05}"), kibibyte()));
    import_all(&client, STORE, documents.collect()).await?;
    daemon.settled().await?;
    let in_process = InProcess::unlock(&daemon.root())?;
    let (mut cold, mut warm, mut floor) = (Blocks::default(), Blocks::default(), Blocks::default());
    for round in 0..=rounds {
        let begun = Instant::now();
        let opened = in_process.list()?;
        let floor_time = millis(begun.elapsed());
        client.lock().await?;
        client.unlock(Some(PASSPHRASE)).await?;
        let begun = Instant::now();
        let first = list(&client).await?;
        let cold_time = millis(begun.elapsed());
        let begun = Instant::now();
        let second = list(&client).await?;
        let warm_time = millis(begun.elapsed());
        if [opened, first, second] != [count; 3] {
            return Err(format!("{opened}, {first}, {second} of {count} heads").into());
        }
        if round > 0 {
            floor.single(floor_time);
            cold.single(cold_time);
            warm.single(warm_time);
        }
    }
    let floor = floor.median();
    let name = format!("list_{count}_heads_cold");
    let figure = Figure {
        name: &name,
        value: cold.median(),
        unit: "ms",
        floor,
        floor_what: "open, read and decrypt the same heads in process, one thread; files cached",
        bar: Bar::AtMost(2.0),
    };
    figure.print();
    let name = format!("list_{count}_heads_warm");
    Figure {
        name: &name,
        value: warm.median(),
        ..figure
    }
    .print();
    let name = format!("list_{count}_heads_cold_goal");
    Figure {
        name: &name,
        floor: 150.0,
        floor_what: "the goal",
        bar: Bar::AtMost(1.0),
        ..figure
    }
    .print();
    Ok(())
}
