//! Presets, applied to a real daemon.

use vault_client::{
    AppliedStore, ApplyError, Client, DatabaseChanges, Parameters, Preset, PresetChoice, Statement,
    StoreOptions, Value,
};

use crate::support::Home;

const AGENT: &str = "018f4e7a-5c1b-7d42-9e60-3a1f0b9c2d84";
const DIMENSIONS: usize = 384;

fn built_in(name: &str) -> Preset {
    let mut presets = Preset::built_in().into_iter();
    presets
        .find(|preset| preset.name == name)
        .expect("it is there")
}

async fn apply(
    client: &Client,
    preset: &Preset,
    values: &[(&str, &str)],
) -> Result<Vec<AppliedStore>, ApplyError> {
    let values = values
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    let choice = PresetChoice {
        values: values.collect(),
        with: Vec::new(),
    };
    let chosen = preset.choose(&choice).expect("fit");
    let mut application = client.apply_preset(chosen).await?;
    let mut applied = Vec::new();
    while let Some(store) = application.next().await? {
        applied.push(store);
    }
    Ok(applied)
}

/// A preset of one database.
fn one(lines: &str) -> Preset {
    let text = format!(
        "name = 'own'\ndescription = ''\n[[store]]\nname = 'own/db'\nkind = 'database'\n{lines}"
    );
    Preset::parse(&text).expect("fit")
}

async fn execute(client: &Client, database: &str, sql: &str, values: Vec<Value>) {
    let statement = Statement::new(sql).with(Parameters::positional(values));
    let executed = client.execute(database, statement, None).await;
    executed.unwrap_or_else(|error| panic!("{sql}: {error}"));
}

async fn integers(client: &Client, database: &str, sql: &str, values: Vec<Value>) -> Vec<i64> {
    let parameters = Parameters::positional(values);
    let rows = client.query(database, sql, parameters, None).await;
    let mut rows = rows.unwrap_or_else(|error| panic!("{sql}: {error}"));
    let mut found = Vec::new();
    while let Some(row) = rows.next_row().await.expect("rows") {
        match row.first() {
            Some(Value::Integer(value)) => found.push(*value),
            _ => panic!("{sql}: not an integer"),
        }
    }
    found
}

/// A vector that points along one axis.
fn vector(axis: usize) -> Value {
    let numbers = (0..DIMENSIONS).map(|at| if at == axis { 1.0_f32 } else { 0.0 });
    Value::Blob(numbers.flat_map(f32::to_le_bytes).collect())
}

#[tokio::test]
async fn a_preset_is_applied_once_and_again_without_effect() {
    let home = Home::new();
    let daemon = home.ephemeral("root");
    let client = daemon.client().await;
    let values = [("plugin", "com.example.weather"), ("agent", AGENT)];
    for (name, count) in [("assistant", 17), ("chat", 10)] {
        let preset = built_in(name);
        let values = if name == "assistant" {
            &values[..]
        } else {
            &[]
        };
        let first = apply(&client, &preset, values).await.expect("applied");
        assert_eq!(first.len(), count);
        assert!(first.iter().all(|store| store.created), "{first:?}");
        let again = apply(&client, &preset, values).await.expect("applied");
        assert_eq!(again.len(), count);
        assert!(again.iter().all(AppliedStore::unchanged), "{again:?}");
    }
    let stores = client.stores().await.expect("listed");
    assert_eq!(stores.len(), 27);
    let plain = stores.iter().filter(|store| store.plain).count();
    assert_eq!(plain, 8 + 4);
    let of_kind = |kind| stores.iter().filter(|store| store.kind == kind).count();
    assert_eq!((of_kind("blobs"), of_kind("files")), (2 + 1, 4));
    for database in client.databases().await.expect("listed") {
        let name = database.name.as_str();
        assert!(database.damaged.is_empty(), "{name}");
        assert_eq!(
            database.without_maintenance,
            name.starts_with("plugins/"),
            "{name}"
        );
        let holds_refs = ["assistant/history", &format!("agents/{AGENT}")].contains(&name);
        assert_eq!(
            database.blob_columns.len(),
            usize::from(holds_refs),
            "{name}"
        );
    }
}

#[tokio::test]
async fn memory_is_found_by_word_and_by_vector() {
    let home = Home::new();
    let daemon = home.ephemeral("root");
    let client = daemon.client().await;
    apply(&client, &built_in("assistant"), &[])
        .await
        .expect("applied");
    let memory = "assistant/memory";
    for (id, text) in [
        (1_i64, "likes the sea"),
        (2, "lives on a hill"),
        (3, "has a boat"),
    ] {
        let sql = "INSERT INTO facts (id, text, created_ms, updated_ms) VALUES (?, ?, 0, 0)";
        execute(&client, memory, sql, vec![id.into(), text.into()]).await;
        let axis = usize::try_from(id).expect("small");
        let sql = "INSERT INTO facts_vectors (rowid, embedding) VALUES (?, ?)";
        execute(&client, memory, sql, vec![id.into(), vector(axis)]).await;
    }
    let by_word = "SELECT rowid FROM facts_text WHERE facts_text MATCH ?";
    assert_eq!(
        integers(&client, memory, by_word, vec!["hill".into()]).await,
        [2]
    );
    let nearest = "SELECT facts.id FROM facts_vectors JOIN facts ON facts.id = facts_vectors.rowid
                   WHERE embedding MATCH ? AND k = 1";
    assert_eq!(
        integers(&client, memory, nearest, vec![vector(3)]).await,
        [3]
    );
    // A fact that is forgotten takes its words and its vector along.
    execute(
        &client,
        memory,
        "DELETE FROM facts WHERE id = 3",
        Vec::new(),
    )
    .await;
    let rest = "SELECT rowid FROM facts_vectors ORDER BY rowid";
    assert_eq!(integers(&client, memory, rest, Vec::new()).await, [1, 2]);
    assert_eq!(
        integers(&client, memory, by_word, vec!["boat".into()]).await,
        [0; 0]
    );
}

#[tokio::test]
async fn a_store_of_another_kind_or_protection_stops_a_preset_before_it_begins() {
    let home = Home::new();
    let daemon = home.ephemeral("root");
    let client = daemon.client().await;
    let plain = StoreOptions {
        plain: true,
        ..StoreOptions::default()
    };
    for (name, options, preset) in [
        ("assistant/tools", StoreOptions::default(), "assistant"),
        ("chat/voice-samples", plain, "chat"),
    ] {
        client.create_store(name, &options).await.expect("created");
        match apply(&client, &built_in(preset), &[]).await {
            Err(ApplyError::Conflict { store, .. }) => assert_eq!(store, name),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(
        client.stores().await.expect("listed").len(),
        2,
        "nothing was created"
    );
}

#[tokio::test]
async fn missing_steps_are_run_and_newer_schemas_left_alone() {
    let home = Home::new();
    let daemon = home.ephemeral("root");
    let client = daemon.client().await;
    let first = one("steps = ['CREATE TABLE t (a)']");
    let second = "steps = ['CREATE TABLE t (a)', 'ALTER TABLE t ADD COLUMN b TEXT']";
    let columns = format!("{second}\nblob_columns = ['t.b']");
    let schema = async |preset: &Preset| {
        let applied = apply(&client, preset, &[]).await.expect("applied");
        (applied[0].schema, applied[0].declared.len())
    };
    assert_eq!(schema(&first).await, (Some((0, 1)), 0));
    assert_eq!(schema(&one(second)).await, (Some((1, 2)), 0));
    assert_eq!(schema(&one(&columns)).await, (Some((2, 2)), 1));
    // What somebody else declared stays declared.
    let changes = DatabaseChanges {
        without_maintenance: Some(true),
        ..DatabaseChanges::default()
    };
    let configured = client.configure_database("own/db", changes).await;
    configured.expect("configured");
    assert_eq!(schema(&one(&columns)).await, (Some((2, 2)), 0));
    let database = client.databases().await.expect("listed").remove(0);
    assert!(database.without_maintenance);

    match apply(&client, &first, &[]).await {
        Err(ApplyError::SchemaNewer {
            store,
            version,
            known,
        }) => {
            assert_eq!((store.as_str(), version, known), ("own/db", 2, 1));
        }
        other => panic!("{other:?}"),
    }
    let extensible = one("steps = ['CREATE TABLE t (a)']\nextensible = true");
    assert_eq!(schema(&extensible).await, (Some((2, 2)), 0));
}

#[tokio::test]
async fn a_preset_that_fails_is_corrected_and_applied_again() {
    let home = Home::new();
    let daemon = home.ephemeral("root");
    let client = daemon.client().await;
    match apply(&client, &one("steps = ['CREATE TABLE t (a', 'x']"), &[]).await {
        Err(ApplyError::Store { store, error }) => {
            assert_eq!(
                (store.as_str(), error.reason()),
                ("own/db", Some("SQL_INVALID"))
            );
        }
        other => panic!("{other:?}"),
    }
    for column in ["t.b", "u.a"] {
        let unknown = format!("steps = ['CREATE TABLE t (a)']\nblob_columns = ['{column}']");
        match apply(&client, &one(&unknown), &[]).await {
            Err(ApplyError::ColumnMissing {
                store,
                column: found,
            }) => {
                assert_eq!(
                    (store.as_str(), found.to_string().as_str()),
                    ("own/db", column)
                );
            }
            other => panic!("{other:?}"),
        }
    }
    let right = one("steps = ['CREATE TABLE t (a)']\nblob_columns = ['t.a']");
    apply(&client, &right, &[]).await.expect("applied");
    let database = client.databases().await.expect("listed").remove(0);
    let declared = database.blob_columns.iter().map(ToString::to_string);
    assert_eq!(
        declared.collect::<Vec<_>>(),
        ["t.a"],
        "no wrong one was declared"
    );
}
