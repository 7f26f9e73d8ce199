//! The rows in the database. Each is one object of JSON, so that a field can be added to it without
//! a step of the schema.

use std::{ops::ControlFlow, sync::Arc, time::Duration};

use serde::{Serialize, de::DeserializeOwned};
use vault_crypto::SigningKey;
use vault_store::{
    StoreError,
    databases::{Call, Column, Database, Parameters, RowSink, Statement, Value, ValueRef},
};

use super::rows::{HeldToken, Rows};
use crate::{AuthResult, Passkey, Session, Token};

/// The schema, by the steps that led to it; their number is the database's `user_version`.
const STEPS: [&str; 1] = ["
    CREATE TABLE state (
        id INTEGER PRIMARY KEY CHECK (id = 1),
        generation INTEGER NOT NULL,
        signing_key BLOB NOT NULL,
        settings TEXT NOT NULL
    ) STRICT;
    CREATE TABLE passkeys (number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, row TEXT NOT NULL) STRICT;
    CREATE TABLE sessions (number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, row TEXT NOT NULL) STRICT;
    CREATE TABLE tokens (number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, row TEXT NOT NULL) STRICT;
    CREATE TABLE hosts (number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE) STRICT;
"];

/// How long a change waits for its turn, and how long it works. Nobody else writes but upkeep.
const PATIENCE: Duration = Duration::from_secs(10);

/// One write of a change.
pub(super) enum Write {
    Passkey(Arc<Passkey>),
    RemovePasskey(String),
    Session(Arc<Session>),
    RemoveSession(String),
    RemoveSessions,
    Token(Arc<Token>),
    RemoveToken(String),
    RemoveTokens,
    Host(String),
    RemoveHost(String),
}

impl Write {
    fn statement(&self) -> AuthResult<Statement> {
        match self {
            Self::Passkey(row) => put("passkeys", &row.id, &**row),
            Self::RemovePasskey(id) => Ok(remove("passkeys", id)),
            Self::Session(row) => put("sessions", &row.id, &**row),
            Self::RemoveSession(id) => Ok(remove("sessions", id)),
            Self::RemoveSessions => Ok(Statement::new("DELETE FROM sessions")),
            Self::Token(row) => put("tokens", &row.id, &**row),
            Self::RemoveToken(id) => Ok(remove("tokens", id)),
            Self::RemoveTokens => Ok(Statement::new("DELETE FROM tokens")),
            Self::Host(host) => Ok(with(
                "INSERT INTO hosts (id) VALUES (?1)".to_owned(),
                vec![Value::Text(host.clone())],
            )),
            Self::RemoveHost(host) => Ok(remove("hosts", host)),
        }
    }
}

fn with(sql: String, positional: Vec<Value>) -> Statement {
    let parameters = Parameters {
        positional,
        named: Vec::new(),
    };
    Statement {
        sql,
        runs: vec![parameters],
    }
}

fn put(table: &str, id: &str, row: &impl Serialize) -> AuthResult<Statement> {
    let sql = format!(
        "INSERT INTO {table} (id, row) VALUES (?1, ?2) \
         ON CONFLICT (id) DO UPDATE SET row = excluded.row"
    );
    let row = serde_json::to_string(row).map_err(|_| damaged())?;
    Ok(with(
        sql,
        vec![Value::Text(id.to_owned()), Value::Text(row)],
    ))
}

fn remove(table: &str, id: &str) -> Statement {
    let sql = format!("DELETE FROM {table} WHERE id = ?1");
    with(sql, vec![Value::Text(id.to_owned())])
}

/// What there is one of: generation, signing key, settings.
fn state(rows: &Rows) -> AuthResult<Statement> {
    let sql = "INSERT INTO state (id, generation, signing_key, settings) \
               VALUES (1, ?1, ?2, ?3) \
               ON CONFLICT (id) DO UPDATE SET generation = excluded.generation, \
               signing_key = excluded.signing_key, settings = excluded.settings";
    let generation = i64::try_from(rows.generation).map_err(|_| damaged())?;
    let settings = serde_json::to_string(&rows.settings).map_err(|_| damaged())?;
    let values = vec![
        Value::Integer(generation),
        Value::Blob(rows.signing_key.expose().to_vec()),
        Value::Text(settings),
    ];
    Ok(with(sql.to_owned(), values))
}

/// Durably writes the state of `rows` and these of their rows, in one transaction.
pub(super) fn commit(database: &Database, rows: &Rows, writes: &[Write]) -> AuthResult<()> {
    let mut statements = vec![state(rows)?];
    for write in writes {
        statements.push(write.statement()?);
    }
    database.batch(&Call::within(PATIENCE), &statements)?;
    Ok(())
}

/// Brings the schema up to date and reads everything; none where nothing was ever written.
pub(super) fn open(database: &Database) -> AuthResult<Option<Rows>> {
    let steps = STEPS.map(str::to_owned);
    database.migrate(&Call::within(PATIENCE), &steps)?;
    let state = select(
        database,
        "SELECT generation, signing_key, settings FROM state",
    )?;
    let Some(state) = state.into_iter().next() else {
        return Ok(None);
    };
    let [
        Value::Integer(generation),
        Value::Blob(key),
        Value::Text(settings),
    ] = state.as_slice()
    else {
        return Err(damaged());
    };
    let tokens = rows::<Token>(database, "tokens")?;
    let tokens = tokens.into_iter().map(HeldToken::new);
    let sessions = rows::<Session>(database, "sessions")?;
    let sessions = sessions.into_iter().map(Arc::new);
    let passkeys = rows::<Passkey>(database, "passkeys")?;
    let hosts = select(database, "SELECT id FROM hosts")?;
    Ok(Some(Rows {
        generation: u64::try_from(*generation).map_err(|_| damaged())?,
        signing_key: Arc::new(SigningKey::from_bytes(key).ok_or_else(damaged)?),
        settings: parse(settings)?,
        passkeys: passkeys.into_iter().map(Arc::new).collect(),
        sessions: sessions.map(|row| (row.id.clone(), row)).collect(),
        tokens: tokens.map(|held| (held.row.id.clone(), held)).collect(),
        hosts: hosts
            .iter()
            .map(|row| text(row).map(str::to_owned))
            .collect::<AuthResult<_>>()?,
    }))
}

/// Rows that are not what was written.
pub(super) fn damaged() -> crate::AuthError {
    let error = StoreError::Damaged {
        object: "the tables of passkeys, sessions and tokens".to_owned(),
        detail: "a row cannot be read".to_owned(),
    };
    error.into()
}

/// The rows of a table, in the order of their making.
fn rows<T: DeserializeOwned>(database: &Database, table: &str) -> AuthResult<Vec<T>> {
    let found = select(
        database,
        &format!("SELECT row FROM {table} ORDER BY number"),
    )?;
    found.iter().map(|row| parse(text(row)?)).collect()
}

fn text(row: &[Value]) -> AuthResult<&str> {
    match row {
        [Value::Text(text)] => Ok(text),
        _ => Err(damaged()),
    }
}

fn parse<T: DeserializeOwned>(text: &str) -> AuthResult<T> {
    serde_json::from_str(text).map_err(|_| damaged())
}

/// Keeps the rows it is given; none of them is large.
#[derive(Default)]
struct Kept(Vec<Vec<Value>>);

impl RowSink for Kept {
    fn columns(&mut self, _: Vec<Column>) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }

    fn row(&mut self, values: &[ValueRef<'_>]) -> ControlFlow<()> {
        // Text that is no UTF-8 is none of ours, and reads as damage.
        let owned = values
            .iter()
            .map(|value| Value::try_from(*value).unwrap_or(Value::Null));
        self.0.push(owned.collect());
        ControlFlow::Continue(())
    }
}

fn select(database: &Database, sql: &str) -> AuthResult<Vec<Vec<Value>>> {
    let mut kept = Kept::default();
    let call = Call::within(PATIENCE);
    database.query(&call, sql, &Parameters::default(), &mut kept)?;
    Ok(kept.0)
}
