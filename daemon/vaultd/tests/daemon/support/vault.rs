//! What tests of the storage key do with a vault again and again.

use std::{
    cell::RefCell,
    fs::{self, OpenOptions},
    io::Write as _,
    os::unix::fs::OpenOptionsExt as _,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use vault_client::{
    Change, Client, DatabaseOptions, DoctorReport, Error, Finding, KeyState, Listed, Mend,
    NewDocument, NewSecret, Precondition, RotationEvent, RotationOutcome, RotationProgress,
    RotationState, RotationStream, Secret, Statement, StoreOptions, Write,
};
use vault_crypto::{
    DataKey, KeyTable, SecretBytes, StorageKey, VaultId,
    passphrase::{open_key, seal_key},
};
use vault_store::{
    DataRoot, DiskFileSystem, KeyEntry, KeySource, KeySourceError, Vault, vault::VaultOptions,
};

use super::{Daemon, Home, PATIENCE, private, soon, until};

pub(crate) const PASSPHRASE: &[u8] = b"correct horse battery staple";
pub(crate) const STORE: &str = "notes";
/// The passphrase backend's file in the data root.
pub(crate) const KEY_FILE: &str = "storage-key.age";

/// Seals the key of a new vault with the least work there is: nobody guesses at it here.
struct LightKey {
    folder: PathBuf,
    key: RefCell<Option<Vec<u8>>>,
}

impl KeySource for LightKey {
    fn backend(&self) -> &'static str {
        "passphrase"
    }

    fn load(&self, _: VaultId, entry: KeyEntry) -> Result<Option<SecretBytes>, KeySourceError> {
        assert_eq!(entry, KeyEntry::StorageKey);
        Ok(self.key.borrow().clone().map(SecretBytes::new))
    }

    fn save(&self, _: VaultId, entry: KeyEntry, secret: &[u8]) -> Result<(), KeySourceError> {
        assert_eq!(entry, KeyEntry::StorageKey);
        let key = StorageKey::from_bytes(secret).expect("a key");
        let sealed = seal_key(&key, &secret_bytes(PASSPHRASE), Some(1)).expect("sealed");
        let mut options = OpenOptions::new();
        options.create_new(true).write(true).mode(0o600);
        let mut file = options.open(self.folder.join(KEY_FILE)).expect("a file");
        file.write_all(&sealed).expect("written");
        *self.key.borrow_mut() = Some(secret.to_vec());
        Ok(())
    }

    fn remove(&self, _: VaultId, _: KeyEntry) -> Result<(), KeySourceError> {
        unreachable!("nothing is removed from a new vault")
    }
}

pub(crate) fn secret_bytes(bytes: &[u8]) -> SecretBytes {
    SecretBytes::new(bytes.to_vec())
}

impl Home {
    /// Sets up a vault under [`PASSPHRASE`], whose key file opens in no time.
    pub(crate) fn light_vault(&self, root: &str) {
        drop(self.light_vault_with(root, VaultOptions::default()));
    }

    /// The same, still open here.
    pub(crate) fn light_vault_with(&self, root: &str, options: VaultOptions) -> Vault {
        let folder = self.path(root);
        private(&folder);
        let source = LightKey {
            folder: folder.clone(),
            key: RefCell::default(),
        };
        let root = DataRoot::new(Arc::new(DiskFileSystem), folder);
        Vault::create(root, &source, options).expect("a new vault")
    }

    /// Starts the daemon of a vault under [`PASSPHRASE`] and unlocks it.
    pub(crate) async fn unlocked(&self, root: &str) -> (Daemon, Client) {
        let daemon = self.start(root, &[]);
        let client = daemon.client().await;
        client.unlock(Some(PASSPHRASE)).await.expect("unlocked");
        (daemon, client)
    }

    /// A new vault under [`PASSPHRASE`], open.
    pub(crate) async fn new_light(&self, root: &str) -> (Daemon, Client) {
        self.light_vault(root);
        self.unlocked(root).await
    }

    /// The storage key in the file of a vault under [`PASSPHRASE`].
    pub(crate) fn storage_key(&self, root: &str) -> StorageKey {
        let file = fs::read(self.path(root).join(KEY_FILE)).expect("a key file");
        open_key(&file, &secret_bytes(PASSPHRASE)).expect("the passphrase")
    }

    /// The data keys of a vault under [`PASSPHRASE`], each with what it is for.
    pub(crate) fn data_keys(&self, root: &str) -> Vec<(String, DataKey)> {
        let wrapped = fs::read(self.path(root).join("keys.a")).expect("a key table");
        let table = KeyTable::unwrap(&self.storage_key(root), &wrapped).expect("unwrapped");
        let purposes = table.purposes().into_iter();
        purposes
            .map(|(id, purpose)| {
                let key = table.get(id).expect("it is in there");
                (purpose.to_string(), key.duplicate())
            })
            .collect()
    }
}

fn id_of(number: usize) -> String {
    format!("d{number:05}")
}

/// What document `number` of [`fill`] holds.
pub(crate) fn body_of(number: usize) -> Vec<u8> {
    let padding = "x".repeat(2000 + number % 500);
    format!(r#"{{"n":{number},"pad":"{padding}"}}"#).into_bytes()
}

/// Creates the store, with so many documents in it.
pub(crate) async fn fill(client: &Client, count: usize) {
    let options = StoreOptions::default();
    client.create_store(STORE, &options).await.expect("created");
    let numbers: Vec<usize> = (0..count).collect();
    for numbers in numbers.chunks(300) {
        let writes = numbers.iter().map(|number| Write {
            id: id_of(*number),
            change: Change::PutJson(body_of(*number)),
            precondition: Precondition::None,
        });
        let written = client.batch(STORE, writes.collect()).await;
        written.expect("written");
    }
}

/// Something in a store of every other kind.
pub(crate) async fn of_every_kind(client: &Client) {
    let database = client.create_database("kinds/database", DatabaseOptions::default());
    database.await.expect("created");
    let statement = Statement::new("CREATE TABLE note(id INTEGER PRIMARY KEY, text TEXT NOT NULL)");
    let created = client.execute("kinds/database", statement, None).await;
    created.expect("executed");
    let blob = client.put_blob("", "text/plain", &b"a blob"[..]).await;
    blob.expect("put");
    let plain = StoreOptions {
        plain: true,
        ..StoreOptions::default()
    };
    client
        .create_store("kinds/plain", &plain)
        .await
        .expect("created");
    let document = NewDocument::json("a", "{}");
    client.put("kinds/plain", document).await.expect("put");
    let secret = NewSecret {
        name: "kinds:secret",
        value: Secret::new(b"a value".to_vec()),
        label: None,
        create: false,
    };
    client.set_secret(secret).await.expect("set");
}

/// Reads one document of [`fill`].
pub(crate) async fn read(client: &Client, number: usize) {
    let document = client.get(STORE, &id_of(number)).await.expect("an answer");
    assert!(document.body == body_of(number), "document {number}");
}

/// Makes sure that the store holds the documents of [`fill`], all of them, and no damage.
pub(crate) async fn assert_filled(client: &Client, count: usize) {
    let mut listing = client.list(STORE, "d", true).await.expect("listed");
    let mut found = 0;
    while let Some(entry) = listing.next().await.expect("goes on") {
        match entry {
            Listed::Document(head, body) => {
                assert_eq!(head.id, id_of(found));
                assert!(body == Some(body_of(found)), "document {found}");
            }
            Listed::Damaged(text) => panic!("damaged: {text}"),
        }
        found += 1;
    }
    assert_eq!(found, count);
}

/// The key's state, once the first look for it has ended.
pub(crate) async fn settled(client: &Client) -> KeyState {
    let state = async || client.status().await.expect("served").key_state;
    until("the first look for the key ended", async || {
        state().await != KeyState::Starting
    })
    .await;
    state().await
}

/// Follows a rotation to its end: its progress, and how it ended.
pub(crate) async fn ended(
    mut rotation: RotationStream,
) -> (Vec<RotationProgress>, Result<RotationOutcome, Error>) {
    let mut reports = Vec::new();
    loop {
        match soon("a report of the rotation", rotation.next()).await {
            Ok(Some(RotationEvent::Progress(progress))) => reports.push(progress),
            Ok(Some(RotationEvent::Done(outcome))) => {
                let more = soon("the end of the reports", rotation.next()).await;
                assert!(matches!(more, Ok(None)), "the outcome comes last");
                return (reports, Ok(outcome));
            }
            Ok(None) => panic!("a rotation without an outcome"),
            Err(error) => return (reports, Err(error)),
        }
    }
}

/// How a rotation ended that ends well.
pub(crate) async fn outcome(rotation: RotationStream) -> RotationOutcome {
    ended(rotation).await.1.expect("it ends well")
}

/// Waits until a rotation has begun to rewrite objects and is not done with that.
pub(crate) async fn amid(rotation: &mut RotationStream) {
    loop {
        match soon("a report of the rotation", rotation.next()).await {
            Ok(Some(RotationEvent::Progress(progress))) => {
                assert_eq!(progress.state, RotationState::Rewriting);
                assert!(
                    progress.objects_done < progress.objects_total,
                    "it was too quick to be met amid its work"
                );
                if progress.objects_done > 0 {
                    return;
                }
            }
            other => panic!("it ended before it was met: {other:?}"),
        }
    }
}

/// Waits until no rotation is under way, for as long as it gets on.
pub(crate) async fn rotated(client: &Client) {
    let (mut since, mut last) = (Instant::now(), None);
    loop {
        let status = client.key_status().await.expect("served");
        let Some(rotation) = status.rotation else {
            return;
        };
        if last.as_ref() != Some(&rotation) {
            (since, last) = (Instant::now(), Some(rotation));
        }
        assert!(since.elapsed() < PATIENCE, "it stands still: {last:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// The check value of the key in force.
pub(crate) async fn fingerprint(client: &Client) -> String {
    client.key_status().await.expect("served").fingerprint
}

/// What the doctor finds on a machine for tests, whatever becomes of the vault: nobody installs or
/// sandboxes a daemon there, and its folders are temporary ones.
const OF_THE_MACHINE: [&str; 5] = [
    "root_not_compliant",
    "file_system_volatile",
    "disk_space_low",
    "sandbox_partial",
    "service_not_installed",
];

fn of_the_vault(report: DoctorReport) -> Vec<Finding> {
    let mut findings = report.findings;
    findings.retain(|finding| !OF_THE_MACHINE.contains(&finding.reason_code.as_str()));
    findings
}

/// What the doctor finds, without mending anything.
pub(crate) async fn findings(client: &Client) -> Vec<Finding> {
    let report = client.doctor(Mend::Nothing).await;
    of_the_vault(report.expect("served in every state"))
}

/// The same, mending what can be.
pub(crate) async fn mended(client: &Client) -> Vec<Finding> {
    let report = client.doctor(Mend::All).await;
    of_the_vault(report.expect("served in every state"))
}

/// The codes of what the doctor finds.
pub(crate) async fn found(client: &Client) -> Vec<String> {
    let findings = findings(client).await.into_iter();
    findings.map(|finding| finding.reason_code).collect()
}

/// The finding of this code.
pub(crate) async fn finding(client: &Client, code: &str) -> Finding {
    let findings = findings(client).await;
    let found = findings.iter().find(|finding| finding.reason_code == code);
    let found = found.unwrap_or_else(|| panic!("no {code} in {findings:?}"));
    found.clone()
}

/// Makes sure that a finding advises this, among other things.
pub(crate) fn assert_advises(finding: &Finding, advice: &str) {
    let given = finding.remedies.iter().any(|text| text.contains(advice));
    assert!(given, "{advice} is not advised: {finding:?}");
}
