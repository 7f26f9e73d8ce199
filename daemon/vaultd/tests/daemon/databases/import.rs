//! Databases that a client reads and the daemon takes over.

use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;
use vault_crypto::ContentHash;
use vault_proto::v1::{
    BackupDatabaseRequest, ImportDatabaseRequest, ImportDatabaseResponse, ListDatabasesRequest,
    Row, TableDigest, Value, export_archive_response,
    import_database_request::{End, Part, Rows, SchemaEntry, Start, Table},
    import_database_response::Part as Answer,
    value::Kind,
};

use super::{Databases, NAME, execute, messages, query, refused, rows, with_database};
use crate::support::{Home, files, soon, until};

type Answers = tonic::Streaming<ImportDatabaseResponse>;

const SCHEMA: &[&str] = &[
    "CREATE TABLE notes (id INTEGER PRIMARY KEY AUTOINCREMENT, body TEXT UNIQUE, data)",
    "CREATE TABLE by_key (key TEXT PRIMARY KEY, value) WITHOUT ROWID",
    "CREATE VIRTUAL TABLE found USING fts5(body, content='notes', content_rowid='id')",
    "CREATE INDEX by_data ON notes (data) WHERE data NOT NULL",
    "CREATE TRIGGER mirror AFTER INSERT ON notes
     BEGIN INSERT INTO found(rowid, body) VALUES (new.id, new.body); END",
    "CREATE VIEW shouted AS SELECT upper(body) AS body FROM notes",
];
const CONTENT: &[&str] = &[
    "INSERT INTO notes (body, data) VALUES ('first light', NULL), ('last light', x'00ff'), ('', 0.5)",
    "DELETE FROM notes WHERE body = ''",
    "INSERT INTO by_key VALUES ('b', 2), ('a', 1)",
];

fn words(row: &Row) -> Vec<String> {
    let values = row.values.iter().map(|value| match &value.kind {
        Some(Kind::Text(text)) => text.clone(),
        _ => String::new(),
    });
    values.collect()
}

/// As the contract has it.
fn digest(name: &str, rows: &[Row]) -> TableDigest {
    let mut bytes = Vec::new();
    for value in rows.iter().flat_map(|row| &row.values) {
        let (class, number, content) = match &value.kind {
            None => {
                bytes.push(0);
                continue;
            }
            Some(Kind::Integer(integer)) => (1, integer.to_be_bytes(), &[][..]),
            Some(Kind::Real(real)) => (2, real.to_bits().to_be_bytes(), &[][..]),
            Some(Kind::Text(text)) => (3, (text.len() as u64).to_be_bytes(), text.as_bytes()),
            Some(Kind::Blob(blob)) => (4, (blob.len() as u64).to_be_bytes(), &blob[..]),
            Some(_) => panic!("no such value here"),
        };
        bytes.push(class);
        bytes.extend(number);
        bytes.extend(content);
    }
    TableDigest {
        name: name.into(),
        rows: rows.len() as u64,
        sha256: ContentHash::of(&bytes).as_bytes().to_vec(),
    }
}

/// What a client sends that reads a database.
async fn source(databases: &mut Databases) -> Vec<Part> {
    let mut parts = vec![Part::Start(Start {
        name: "copy".into(),
        user_version: 7,
        encoding: "UTF-8".into(),
        ..Start::default()
    })];
    let schema = "SELECT type, name, tbl_name, sql FROM sqlite_schema";
    let mut tables = Vec::new();
    for entry in rows(databases, schema).await.expect("read") {
        let [kind, name, table, sql] = <[String; 4]>::try_from(words(&entry)).expect("four");
        if kind == "table" && !sql.starts_with("CREATE VIRTUAL") {
            tables.push(name.clone());
        }
        parts.push(Part::Schema(SchemaEntry {
            r#type: kind,
            name,
            table,
            sql,
        }));
    }
    let mut end = End::default();
    for name in tables {
        let without_rowid = ["by_key", "found_idx", "found_config"].contains(&name.as_str());
        let rowid = if without_rowid { "" } else { "rowid, " };
        let select = format!("SELECT {rowid}* FROM {name} NOT INDEXED");
        let answer = messages(databases, query(&select, Vec::new())).await;
        let answer = answer.expect("read");
        let columns = answer[0].columns.iter().skip(usize::from(!without_rowid));
        parts.push(Part::Table(Table {
            name: name.clone(),
            columns: columns.map(|column| column.name.clone()).collect(),
            rowid: !without_rowid,
        }));
        let rows: Vec<Row> = answer
            .iter()
            .flat_map(|part| super::listed(&part.rows))
            .collect();
        end.tables.push(digest(&name, &rows));
        parts.push(Part::Rows(Rows { rows }));
    }
    parts.push(Part::End(end));
    parts
}

async fn import(databases: &mut Databases, parts: Vec<Part>) -> Result<Vec<TableDigest>, Status> {
    let (requests, receiver) = mpsc::channel(1);
    tokio::spawn(async move {
        for part in parts {
            let request = ImportDatabaseRequest { part: Some(part) };
            if requests.send(request).await.is_err() {
                return;
            }
        }
    });
    let answers = databases.import(ReceiverStream::new(receiver)).await?;
    let mut answers = answers.into_inner();
    let mut done = None;
    while let Some(answer) = soon("an answer", answers.message()).await? {
        if let Some(Answer::Done(found)) = answer.part {
            done = Some(found.tables);
        }
    }
    Ok(done.expect("the last message"))
}

async fn names(databases: &mut Databases) -> Vec<String> {
    let list = databases.list(ListDatabasesRequest {}).await;
    let list = list.expect("listed").into_inner().databases;
    list.into_iter().map(|database| database.name).collect()
}

#[tokio::test]
async fn a_database_is_taken_over_with_all_that_works_in_it() {
    let home = Home::new();
    let daemon = home.ephemeral("root");
    let mut databases = with_database(&daemon).await;
    for sql in SCHEMA.iter().chain(CONTENT) {
        execute(&mut databases, sql).await.expect(sql);
    }
    let parts = source(&mut databases).await;
    let Some(Part::End(end)) = parts.last().cloned() else {
        panic!("no end")
    };
    let found = import(&mut databases, parts).await.expect("taken over");
    assert_eq!(found, end.tables);
    assert!(
        found
            .iter()
            .any(|table| table.name == "found_data" && table.rows > 0)
    );
    assert_eq!(names(&mut databases).await, [NAME, "copy"]);

    let mut of_copy = async |sql: &str| {
        let request = vault_proto::v1::QueryRequest {
            database: "copy".into(),
            ..query(sql, Vec::new())
        };
        let answer = messages(&mut databases, request).await.expect(sql);
        let rows: Vec<Row> = answer
            .iter()
            .flat_map(|part| super::listed(&part.rows))
            .collect();
        rows.into_iter()
            .flat_map(|row| row.values)
            .collect::<Vec<Value>>()
    };
    let texts = |values: Vec<Value>| words(&Row { values });
    let integer = super::integer;
    assert!(of_copy("PRAGMA user_version").await == [integer(7)]);
    let inserted = "INSERT INTO notes (body) VALUES ('new light') RETURNING id";
    assert!(
        of_copy(inserted).await == [integer(4)],
        "no id is given twice"
    );
    let light = "SELECT rowid FROM found WHERE found MATCH 'light' ORDER BY rowid";
    assert!(of_copy(light).await == [integer(1), integer(2), integer(4)]);
    let shouted = of_copy("SELECT body FROM shouted LIMIT 1").await;
    assert_eq!(texts(shouted), ["FIRST LIGHT"]);
    let healthy = of_copy("PRAGMA integrity_check").await;
    assert_eq!(texts(healthy), ["ok"]);
}

#[tokio::test]
async fn what_is_not_the_same_or_not_whole_is_not_kept() {
    let home = Home::new();
    let daemon = home.ephemeral("root");
    let mut databases = with_database(&daemon).await;
    for sql in SCHEMA.iter().chain(CONTENT) {
        execute(&mut databases, sql).await.expect(sql);
    }
    let parts = source(&mut databases).await;
    let before = files(&home.path("root/stores")).len();
    let change = |change: &dyn Fn(&mut Part)| {
        let mut parts = parts.clone();
        parts.iter_mut().for_each(change);
        parts
    };
    let other_digest = change(&|part| {
        if let Part::End(end) = part {
            end.tables[0].sha256[0] ^= 1;
        }
    });
    let attach = change(&|part| {
        if let Part::Schema(entry) = part
            && entry.name == "by_key"
        {
            entry.sql = "ATTACH '/tmp/elsewhere' AS elsewhere".into();
        }
    });
    let module = change(&|part| {
        if let Part::Schema(entry) = part
            && entry.name == "found"
        {
            entry.sql = "CREATE VIRTUAL TABLE found USING sqlite_dbpage".into();
        }
    });
    let mut cut = parts.clone();
    cut.pop();
    let mut taken = parts.clone();
    if let Some(Part::Start(start)) = taken.first_mut() {
        start.name = NAME.into();
    }
    for (parts, expected) in [
        (other_digest, "INVALID_ARGUMENT"),
        (attach, "SQL_REFUSED"),
        (module, "SQL_REFUSED"),
        (cut, "INVALID_ARGUMENT"),
        (taken, "ALREADY_EXISTS"),
    ] {
        assert_eq!(refused(import(&mut databases, parts).await), expected);
        assert_eq!(names(&mut databases).await, [NAME]);
    }
    let after = files(&home.path("root/stores")).len();
    assert_eq!(after, before, "no file is left behind");
    import(&mut databases, parts)
        .await
        .expect("the name is free");
}

/// Begins an import whose client sends no more than its start.
async fn begun(databases: &mut Databases) -> (mpsc::Sender<ImportDatabaseRequest>, Answers) {
    let (requests, receiver) = mpsc::channel(1);
    let start = Part::Start(Start {
        name: "copy".into(),
        ..Start::default()
    });
    let start = ImportDatabaseRequest { part: Some(start) };
    requests.send(start).await.expect("room");
    let answers = databases.import(ReceiverStream::new(receiver)).await;
    (requests, answers.expect("begun").into_inner())
}

#[tokio::test]
async fn an_import_takes_no_longer_than_it_may() {
    let home = Home::new();
    home.configure("[limits]\nquery_seconds = 1\n");
    let daemon = home.ephemeral("root");
    let mut databases = with_database(&daemon).await;
    let (_requests, mut answers) = begun(&mut databases).await;
    let over = soon("the end", answers.message()).await;
    assert_eq!(refused(over), "TIMED_OUT");
    assert_eq!(names(&mut databases).await, [NAME]);
}

#[tokio::test]
async fn a_lock_ends_an_import() {
    let home = Home::new();
    let (daemon, client) = home.new_light("root").await;
    let mut databases = with_database(&daemon).await;
    let folders = || files(&home.path("root/stores")).len();
    let before = folders();
    let (_requests, mut answers) = begun(&mut databases).await;
    until("it has begun", async || folders() > before).await;
    client.lock().await.expect("locked");
    let over = soon("the end", answers.message()).await;
    assert_eq!(refused(over), "LOCKED");
}

#[tokio::test]
async fn a_backup_is_an_archive_of_one_database() {
    let home = Home::new();
    let daemon = home.ephemeral("root");
    let mut databases = with_database(&daemon).await;
    let request = |database: &str| BackupDatabaseRequest {
        database: database.into(),
        passphrase: b"correct horse battery staple".to_vec(),
        recipients: Vec::new(),
    };
    assert_eq!(
        refused(databases.backup(request("nowhere")).await),
        "NOT_FOUND"
    );
    let answer = databases.backup(request(NAME)).await.expect("begun");
    let mut answer = answer.into_inner();
    let mut summary = None;
    while let Some(message) = soon("a part", answer.message()).await.expect("a part") {
        if let Some(export_archive_response::Part::Summary(last)) = message.part {
            summary = Some(last);
        }
    }
    let stores = summary.expect("the last message").stores;
    assert_eq!(stores.len(), 1);
    assert_eq!(stores[0].name, NAME);
}
