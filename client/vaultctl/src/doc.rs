//! `vaultctl doc ...`.

mod attach;
mod attachments;

use std::{
    collections::BTreeMap,
    io::{IsTerminal as _, Read as _},
    path::{Path, PathBuf},
};

use serde::Serialize;
use serde_json::value::RawValue;
use vault_client::{Client, Head, Listed, NewDocument, Precondition};

use crate::{
    context::Context,
    failure::Failure,
    output::{self, HeadJson},
};

#[derive(clap::Subcommand, Debug)]
pub(crate) enum Doc {
    /// Write a document
    Put(Put),
    /// Print a document's body
    Get(Get),
    /// Change a JSON document by a JSON Merge Patch (RFC 7396)
    Patch(Patch),
    /// List documents
    Ls(List),
    /// Delete a document
    Rm(Remove),
    /// Print changes, and go on printing them as they happen
    Watch(Watch),
}

#[derive(clap::Args, Debug)]
pub(crate) struct Put {
    store: String,
    id: String,
    /// The body; standard input where `-` or nothing is given
    file: Option<PathBuf>,
    /// Only if this is the current revision
    #[arg(long, value_name = "N", conflicts_with_all = ["create", "replace"])]
    if_revision: Option<u64>,
    /// Only if there is no such document
    #[arg(long, conflicts_with = "replace")]
    create: bool,
    /// Only if there is one
    #[arg(long)]
    replace: bool,
    /// MIME type of the body
    #[arg(long, value_name = "TYPE", default_value = "application/json")]
    content_type: String,
    /// A label, kept sealed beside the body
    #[arg(long = "label", value_name = "NAME=VALUE", value_parser = parse_label)]
    labels: Vec<(String, String)>,
    /// Attach a file, of kind image, document, video or audio; may be given several times. The body
    /// must be a JSON object
    #[arg(long, value_name = "FILE[:KIND]", value_parser = attach::Attach::parse)]
    attach: Vec<attach::Attach>,
}

fn parse_label(text: &str) -> Result<(String, String), String> {
    let parts = text.split_once('=').filter(|(name, _)| !name.is_empty());
    let (name, value) = parts.ok_or("a label is NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

#[derive(clap::Args, Debug)]
pub(crate) struct Get {
    store: String,
    id: String,
    /// Write its attachments to this folder, instead of printing the body
    #[arg(long, value_name = "DIR", conflicts_with = "inline")]
    attachments: Option<PathBuf>,
    /// Print the body with the content of every attachment in it, in base64
    #[arg(long)]
    inline: bool,
}

#[derive(clap::Args, Debug)]
pub(crate) struct Patch {
    store: String,
    id: String,
    /// The patch; standard input where `-` or nothing is given
    file: Option<PathBuf>,
    /// Only if this is the current revision
    #[arg(long, value_name = "N")]
    if_revision: Option<u64>,
}

#[derive(clap::Args, Debug)]
pub(crate) struct List {
    store: String,
    /// Print bodies, too, as JSON Lines
    #[arg(long)]
    bodies: bool,
    /// Only ids that begin with this
    #[arg(long, default_value = "", hide_default_value = true)]
    prefix: String,
}

#[derive(clap::Args, Debug)]
pub(crate) struct Remove {
    store: String,
    id: String,
    /// Only if this is the current revision
    #[arg(long, value_name = "N")]
    if_revision: Option<u64>,
}

#[derive(clap::Args, Debug)]
pub(crate) struct Watch {
    store: String,
    /// Changes after this revision; by default only new ones
    #[arg(long, value_name = "REVISION")]
    since: Option<u64>,
}

impl Doc {
    pub(crate) async fn run(self, context: &Context) -> Result<(), Failure> {
        let client = context.open().await?;
        match self {
            Self::Put(put) => put.run(context, &client).await,
            Self::Get(get) => get.run(context, &client).await,
            Self::Patch(patch) => patch.run(context, &client).await,
            Self::Ls(list) => list.run(context, &client).await,
            Self::Rm(remove) => remove.run(context, &client).await,
            Self::Watch(watch) => watch.run(context, &client).await,
        }
    }
}

/// The whole of a file, or of standard input.
fn read(file: Option<&Path>) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    match file.filter(|file| *file != Path::new("-")) {
        Some(file) => {
            bytes = std::fs::read(file).map_err(|error| {
                Failure::usage(format!("cannot read {}: {error}", file.display()))
            })?;
        }
        None => {
            std::io::stdin().read_to_end(&mut bytes)?;
        }
    }
    Ok(bytes)
}

fn print_head(context: &Context, head: &Head) -> Result<(), Failure> {
    if context.json() {
        output::json(&HeadJson::from(head))
    } else {
        let what = if head.deleted {
            "deleted at revision"
        } else {
            "revision"
        };
        output::line(&format!(
            "{} {what} {}",
            output::printable(&head.id),
            head.revision
        ))
    }
}

impl Put {
    async fn run(self, context: &Context, client: &Client) -> Result<(), Failure> {
        let precondition = match (self.if_revision, self.create, self.replace) {
            (Some(revision), ..) => Precondition::Revision(revision),
            (None, true, _) => Precondition::Absent,
            (None, false, true) => Precondition::Present,
            (None, false, false) => Precondition::None,
        };
        let body = read(self.file.as_deref())?;
        let document = NewDocument {
            id: self.id,
            body: attach::attach(client, &self.store, body, &self.attach).await?,
            content_type: self.content_type,
            labels: self.labels.into_iter().collect::<BTreeMap<_, _>>(),
            precondition,
        };
        print_head(context, &client.put(&self.store, document).await?)
    }
}

/// A head with its body: as JSON where it is, else in base64.
#[derive(Serialize)]
struct WithBody<'a> {
    #[serde(flatten)]
    head: HeadJson<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body_base64: Option<String>,
}

impl<'a> WithBody<'a> {
    fn new(head: &'a Head, body: &'a [u8]) -> Self {
        let json = if head.content_type == "application/json" {
            serde_json::from_slice::<&RawValue>(body).ok()
        } else {
            None
        };
        let other = json.is_none().then(|| data_encoding::BASE64.encode(body));
        Self {
            head: HeadJson::from(head),
            body: json,
            body_base64: other,
        }
    }
}

impl Get {
    async fn run(self, context: &Context, client: &Client) -> Result<(), Failure> {
        let mut document = client.get(&self.store, &self.id).await?;
        if let Some(folder) = &self.attachments {
            let (store, body) = (&self.store, &document.body);
            return attachments::write_all(context, client, store, body, folder).await;
        }
        if self.inline {
            let body = client.inline_attachments(&self.store, &document.body, u64::MAX);
            document.body = body.await?;
        }
        if context.json() {
            return output::json(&WithBody::new(&document.head, &document.body));
        }
        output::raw(&document.body)?;
        // Only for the eye: a pipe gets the body and nothing else.
        if std::io::stdout().is_terminal() && !document.body.ends_with(b"\n") {
            output::line("")?;
        }
        Ok(())
    }
}

impl Patch {
    async fn run(self, context: &Context, client: &Client) -> Result<(), Failure> {
        let patch = read(self.file.as_deref())?;
        let head = client
            .patch(&self.store, &self.id, patch, self.if_revision)
            .await?;
        print_head(context, &head)
    }
}

impl List {
    async fn run(self, context: &Context, client: &Client) -> Result<(), Failure> {
        let mut heads = client.list(&self.store, &self.prefix, self.bodies).await?;
        let mut rows = Vec::new();
        let mut damaged = 0;
        while let Some(entry) = heads.next().await? {
            match entry {
                Listed::Document(head, Some(body)) => {
                    output::json(&WithBody::new(&head, &body))?;
                }
                Listed::Document(head, None) if context.json() => {
                    output::json(&HeadJson::from(&head))?;
                }
                Listed::Document(head, None) => rows.push(vec![
                    output::printable(&head.id),
                    head.revision.to_string(),
                    output::size(head.body_bytes),
                    output::time(head.modified_ms),
                ]),
                Listed::Damaged(what) => {
                    damaged += 1;
                    eprintln!("damaged: {}", output::printable(&what));
                }
            }
        }
        if !rows.is_empty() {
            output::table(&["ID", "REVISION", "SIZE", "MODIFIED"], &rows)?;
        }
        if damaged > 0 {
            return Err(Failure::other(format!("{damaged} objects cannot be read")));
        }
        Ok(())
    }
}

impl Remove {
    async fn run(self, context: &Context, client: &Client) -> Result<(), Failure> {
        let revision = client
            .delete(&self.store, &self.id, self.if_revision)
            .await?;
        if context.json() {
            return output::json(&serde_json::json!({ "id": self.id, "revision": revision }));
        }
        output::line(&format!(
            "{} deleted at revision {revision}",
            output::printable(&self.id)
        ))
    }
}

impl Watch {
    async fn run(self, context: &Context, client: &Client) -> Result<(), Failure> {
        let since = if let Some(since) = self.since {
            since
        } else {
            let stores = client.stores().await?;
            let store = stores.into_iter().find(|store| store.name == self.store);
            store.map_or(0, |store| store.revision)
        };
        let mut changes = client.watch(&self.store, since).await?;
        while let Some(head) = changes.next().await? {
            print_head(context, &head)?;
        }
        Ok(())
    }
}
