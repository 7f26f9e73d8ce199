//! `vaultctl connection ...`.

use serde::Serialize;
use serde_json::value::RawValue;
use vault_client::{Client, Connection as Profile, NewConnection, Secret};

use crate::{context::Context, failure::Failure, input, output, prompt};

#[derive(clap::Subcommand, Debug)]
pub(crate) enum Connection {
    /// Save a connection: its key into the keyring first, then its profile
    Add(Add),
    /// List connections; keys are not shown
    Ls,
    /// Show a connection, or the active one; its key is not shown
    Show(Show),
    /// Make a connection the active one, and no other
    Activate(Activate),
    /// Delete a connection with its key
    Rm(Remove),
}

#[derive(clap::Args, Debug)]
// Flags of a command line, each on its own.
#[allow(clippy::struct_excessive_bools)]
pub(crate) struct Add {
    /// Its id, such as `openai`; its key becomes the secret `connection:ID`
    id: String,
    /// A name for people [default with --replace: as it was]
    #[arg(long, required_unless_present = "replace")]
    name: Option<String>,
    /// Where requests go, such as `https://api.example.org/v1` [default with --replace: as it was]
    #[arg(long, value_name = "URL", required_unless_present = "replace")]
    base_url: Option<String>,
    /// Which dialect the service speaks, such as `openai`
    #[arg(long, value_name = "WORD")]
    compatibility: Option<String>,
    /// Read the key from standard input; one newline at its end is left out
    #[arg(long)]
    key_stdin: bool,
    /// Save no key; one that was saved before stays
    #[arg(long, conflicts_with = "key_stdin")]
    no_key: bool,
    /// Make it the active one
    #[arg(long)]
    activate: bool,
    /// Change a connection that is there already
    #[arg(long)]
    replace: bool,
}

#[derive(clap::Args, Debug)]
pub(crate) struct Show {
    /// Its id; the active one where none is given
    id: Option<String>,
}

#[derive(clap::Args, Debug)]
pub(crate) struct Activate {
    id: String,
}

#[derive(clap::Args, Debug)]
pub(crate) struct Remove {
    id: String,
    /// Delete its key alone
    #[arg(long)]
    key_only: bool,
    /// Do not ask
    #[arg(long)]
    yes: bool,
}

impl Connection {
    pub(crate) async fn run(self, context: &Context) -> Result<(), Failure> {
        let client = context.open().await?;
        match self {
            Self::Add(add) => add.run(context, &client).await,
            Self::Ls => list(context, &client).await,
            Self::Show(show) => {
                let id = show.id.unwrap_or_default();
                print(context, &client.connection(&id).await?)
            }
            Self::Activate(Activate { id }) => {
                print(context, &client.activate_connection(&id).await?)
            }
            Self::Rm(remove) => remove.run(context, &client).await,
        }
    }
}

impl Add {
    async fn run(self, context: &Context, client: &Client) -> Result<(), Failure> {
        let before = if self.replace {
            Some(client.connection(&self.id).await?)
        } else {
            None
        };
        let key = self.key()?;
        let or_before = |given: Option<String>, field: fn(&Profile) -> &String| {
            let kept = || before.as_ref().map(|before| field(before).clone());
            given.or_else(kept).unwrap_or_default()
        };
        let new = NewConnection {
            name: or_before(self.name, |before| &before.name),
            base_url: or_before(self.base_url, |before| &before.base_url),
            compatibility: or_before(self.compatibility, |before| &before.compatibility),
            id: self.id,
            extra: before
                .as_ref()
                .map(|before| before.extra.clone())
                .unwrap_or_default(),
            key,
            create: !self.replace,
            activate: self.activate,
        };
        let saved = client.save_connection(new).await.map_err(|error| {
            let exists = error.reason() == Some("ALREADY_EXISTS");
            let failure = Failure::from(error);
            if exists {
                failure.with("--replace changes it")
            } else {
                failure
            }
        })?;
        print(context, &saved)
    }

    /// The key, from standard input or the terminal; never from an argument, which every process
    /// can read.
    fn key(&self) -> Result<Option<Secret>, Failure> {
        if self.no_key {
            return Ok(None);
        }
        if self.key_stdin {
            let mut key = input::whole(std::path::Path::new("-"), "the key")?;
            let newline: &[u8] = if key.ends_with(b"\r\n") {
                b"\r\n"
            } else {
                b"\n"
            };
            if key.ends_with(newline) {
                let rest = key.len() - newline.len();
                key.truncate(rest);
            }
            if key.is_empty() {
                return Err(Failure::usage("the key on standard input is empty"));
            }
            return Ok(Some(Secret::new(std::mem::take(&mut *key))));
        }
        if !prompt::possible() {
            let text = "name where the key comes from: --key-stdin, or --no-key for none";
            return Err(Failure::usage(text));
        }
        let mut key = prompt::secret("Key [none]")?;
        Ok((!key.is_empty()).then(|| Secret::new(std::mem::take(&mut *key))))
    }
}

impl Remove {
    async fn run(self, context: &Context, client: &Client) -> Result<(), Failure> {
        let id = output::printable(&self.id);
        let what = if self.key_only {
            format!("the key of {id}")
        } else {
            format!("{id} with its key")
        };
        if !self.yes {
            let question = format!("Delete {what}? Nobody can bring a key back.");
            prompt::confirm(&question, "nothing was deleted")?;
        }
        client.delete_connection(&self.id, self.key_only).await?;
        if context.json() {
            let key_only = self.key_only;
            return output::json(&serde_json::json!({ "deleted": self.id, "key_only": key_only }));
        }
        output::line(&format!("{what} deleted"))
    }
}

async fn list(context: &Context, client: &Client) -> Result<(), Failure> {
    let (connections, damaged) = client.connections().await?;
    if context.json() {
        for connection in &connections {
            output::json(&ConnectionJson::from(connection))?;
        }
    } else if !connections.is_empty() {
        let rows: Vec<Vec<String>> = connections.iter().map(row).collect();
        output::table(&["ID", "NAME", "BASE URL", "KEY", "ACTIVE"], &rows)?;
    }
    for what in &damaged {
        eprintln!("damaged: {}", output::printable(what));
    }
    if damaged.is_empty() {
        return Ok(());
    }
    let count = output::count(damaged.len() as u64, "connection");
    Err(Failure::other(format!("{count} cannot be read")))
}

fn row(connection: &Profile) -> Vec<String> {
    vec![
        output::printable(&connection.id),
        output::printable(&connection.name),
        output::printable(&connection.base_url),
        yes_or_no(connection.has_secret).to_owned(),
        yes_or_no(connection.active).to_owned(),
    ]
}

fn yes_or_no(fact: bool) -> &'static str {
    if fact { "yes" } else { "no" }
}

fn print(context: &Context, connection: &Profile) -> Result<(), Failure> {
    if context.json() {
        return output::json(&ConnectionJson::from(connection));
    }
    let mut facts = vec![
        ("id", output::printable(&connection.id)),
        ("name", output::printable(&connection.name)),
        ("base URL", output::printable(&connection.base_url)),
        ("speaks", output::printable(&connection.compatibility)),
        ("key", yes_or_no(connection.has_secret).to_owned()),
        ("active", yes_or_no(connection.active).to_owned()),
    ];
    if !connection.extra.is_empty() {
        let extra = String::from_utf8_lossy(&connection.extra);
        facts.push(("extra", output::printable(&extra)));
    }
    facts.retain(|(_, value)| !value.is_empty());
    output::facts(&facts)
}

/// A connection as JSON. There is no key in it.
#[derive(Serialize)]
struct ConnectionJson<'a> {
    id: &'a str,
    name: &'a str,
    base_url: &'a str,
    compatibility: &'a str,
    has_secret: bool,
    active: bool,
    created: String,
    modified: String,
    revision: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    extra: Option<&'a RawValue>,
}

impl<'a> From<&'a Profile> for ConnectionJson<'a> {
    fn from(connection: &'a Profile) -> Self {
        Self {
            id: &connection.id,
            name: &connection.name,
            base_url: &connection.base_url,
            compatibility: &connection.compatibility,
            has_secret: connection.has_secret,
            active: connection.active,
            created: output::time(connection.created_ms),
            modified: output::time(connection.modified_ms),
            revision: connection.revision,
            extra: serde_json::from_slice(&connection.extra).ok(),
        }
    }
}
