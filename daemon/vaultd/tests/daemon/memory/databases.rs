//! What a locked daemon still holds of its databases: of their keys, as bytes and as the text that
//! SQLCipher is given, and of rows that were written, sorted, indexed and read.

use std::{fs, path::Path};

use vault_client::{Client, DatabaseOptions, Parameters, RotationDepth, Statement, Value};
use vault_crypto::{Address, DatabaseKey, DatabaseSalt, Envelope, Header, KeyTable};

use super::{
    is_root, left, rotate,
    scan::{Needles, scan},
    unlocked,
};
use crate::support::{Home, soon};

const DATABASE: &str = "chat/history";
/// In a parameter; in the text of a statement; in a row too long for one page.
const MARKERS: [&str; 3] = [
    "a row that came as a parameter: yhfvqnmz",
    "a row that came in a statement: kdtwbgxp",
    "a row that fills several pages: rjclozsu",
];

/// The key in force of the one database of a vault, derived as the daemon does it.
fn database_key(home: &Home) -> DatabaseKey {
    let root = home.path("root");
    let wrapped = fs::read(root.join("keys.a")).expect("a key table");
    let table = KeyTable::unwrap(&home.storage_key("root"), &wrapped).expect("unwrapped");
    let stores = fs::read_dir(root.join("stores")).expect("stores");
    let paths = stores.map(|entry| entry.expect("an entry").path());
    let mut heads = paths.filter(|path| path.join("head").is_file());
    let folder = heads.next().expect("a database");
    let salt = salt(&folder, &table);
    let sealed = fs::read(folder.join("head")).expect("its head");
    let key = Header::parse(&sealed).expect("a header").key_id();
    table.get(key).expect("its key").database_key(&salt)
}

fn salt(folder: &Path, table: &KeyTable) -> DatabaseSalt {
    let sealed = fs::read(folder.join("head")).expect("its head");
    let header = Header::parse(&sealed).expect("a header");
    let store = folder.file_name().and_then(|name| name.to_str());
    let address = Address {
        vault: table.vault(),
        store: store.expect("its id").as_bytes(),
        object: b"database",
        revision: header.revision(),
    };
    let key = table.get(header.key_id()).expect("its key");
    let envelope = Envelope::new(key, header.key_id(), address, &sealed).expect("its place");
    let body = envelope.open_body().expect("opened");
    let body: serde_json::Value = serde_json::from_slice(&body).expect("JSON");
    let salt = body["salt"].as_str().expect("a salt");
    salt.parse().expect("32 bytes")
}

/// The key in force, in every form in which it could lie about.
fn learn(needles: &mut Needles, home: &Home, when: &str) {
    let key = database_key(home);
    needles.add(&format!("database key {when}"), key.expose());
    let raw = key.raw_form();
    let digits = raw.trim_start_matches("x'").trim_end_matches('\'');
    needles.add(
        &format!("lower digits of the database key {when}"),
        digits.as_bytes(),
    );
    let upper = digits.to_ascii_uppercase();
    needles.add(
        &format!("upper digits of the database key {when}"),
        upper.as_bytes(),
    );
}

async fn execute(client: &Client, sql: &str, values: Vec<Value>) {
    let statement = Statement::new(sql).with(Parameters::positional(values));
    let done = client.execute(DATABASE, statement, None).await;
    done.expect("executed");
}

async fn rows(client: &Client, sql: &str) -> u64 {
    let none = Parameters::default();
    let rows = client.query(DATABASE, sql, none, None).await;
    rows.expect("rows").end().await.expect("all of them").rows
}

async fn fill(client: &Client) {
    let options = DatabaseOptions::default();
    let created = client.create_database(DATABASE, options).await;
    created.expect("created");
    for sql in [
        "CREATE TABLE note (id INTEGER PRIMARY KEY, text TEXT)",
        "CREATE VIRTUAL TABLE word USING fts5(text)",
        "CREATE TRIGGER t AFTER INSERT ON note BEGIN
            INSERT INTO word(text) VALUES (new.text); END",
    ] {
        execute(client, sql, Vec::new()).await;
    }
}

/// Writes the markers and reads them in every way that makes SQLite keep them somewhere.
async fn use_it(client: &Client) {
    let insert = "INSERT INTO note(text) VALUES (?)";
    execute(client, insert, vec![MARKERS[0].into()]).await;
    let literal = format!("INSERT INTO note(text) VALUES ('{}')", MARKERS[1]);
    execute(client, &literal, Vec::new()).await;
    execute(client, insert, vec![MARKERS[2].repeat(400).into()]).await;
    for sql in [
        "SELECT id, text FROM note",
        "SELECT upper(text), text || text FROM note ORDER BY text DESC",
        "SELECT text, count(*) FROM note GROUP BY text",
        "SELECT json_group_array(text) FROM note",
        "SELECT snippet(word, 0, '<', '>', '', 5) FROM word WHERE word MATCH 'row'",
    ] {
        assert!(rows(client, sql).await > 0, "{sql}");
    }
    // So many that they are sorted in memory of their own.
    let many = "INSERT INTO note(text) WITH RECURSIVE n(x) AS
                    (SELECT 1 UNION ALL SELECT x + 1 FROM n LIMIT 3000) SELECT ? || x FROM n";
    execute(client, many, vec![MARKERS[0].into()]).await;
    let sorted = "SELECT text, group_concat(text) OVER (ORDER BY text DESC ROWS 3 PRECEDING)
                  FROM note ORDER BY length(text), text DESC";
    assert!(rows(client, sorted).await > 3000);
    execute(client, "UPDATE note SET text = text || '.'", Vec::new()).await;
    execute(client, "DELETE FROM note WHERE id % 2 = 0", Vec::new()).await;
    let none = client.transaction(DATABASE, vault_client::TransactionOptions::default());
    let mut none = none.await.expect("begun");
    let run = Parameters::positional([MARKERS[0].into()]);
    none.execute(Statement::new(insert).with(run))
        .await
        .expect("ran");
    none.rollback().await.expect("rolled back");
}

async fn check(client: &Client) {
    let mut checks = client.check_database(DATABASE, None).await.expect("begun");
    while soon("a check", checks.next())
        .await
        .expect("it goes on")
        .is_some()
    {}
}

#[tokio::test]
async fn a_locked_daemon_holds_no_key_and_no_row_of_a_database() {
    if !is_root() {
        return;
    }
    let home = Home::new();
    let (daemon, client) = home.new_light("root").await;
    fill(&client).await;
    let mut needles = Needles::default();
    learn(&mut needles, &home, "at first");
    for marker in MARKERS {
        needles.add(marker, marker.as_bytes());
    }
    use_it(&client).await;
    let hits = scan(daemon.pid(), &needles);
    for name in ["database key at first", MARKERS[0]] {
        let found = hits.iter().any(|hit| hit.needle == name);
        assert!(found, "an open database has its {name} in memory: {hits:?}");
    }
    let mut found = left(&daemon, client, &needles, "reading and writing").await;

    let client = unlocked(&daemon).await;
    use_it(&client).await;
    rotate(&client, RotationDepth::Reencrypt).await;
    learn(&mut needles, &home, "after a re-encryption");
    use_it(&client).await;
    found += left(&daemon, client, &needles, "a re-encryption").await;

    let client = unlocked(&daemon).await;
    check(&client).await;
    found += left(&daemon, client, &needles, "a check").await;
    assert_eq!(found, 0, "runs of secret bytes, listed above");
}
