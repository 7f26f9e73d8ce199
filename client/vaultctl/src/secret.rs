//! `vaultctl secret ...`: values come from standard input or a prompt, never from an argument.

use std::{
    io::{self, IsTerminal as _},
    path::Path,
};

use data_encoding::BASE64;
use serde::Serialize;
use vault_client::{NewSecret, SecretInfo};
use zeroize::Zeroizing;

use crate::{context::Context, failure::Failure, input, output, prompt};

#[derive(clap::Subcommand, Debug)]
pub(crate) enum Secret {
    /// Keep a value: from standard input, byte for byte, or typed at a prompt
    Set(Set),
    /// Print a value, byte for byte
    Get(Get),
    /// List names, never values
    Ls(List),
    /// Delete a secret
    Rm(Remove),
}

#[derive(clap::Args, Debug)]
pub(crate) struct Set {
    /// Its name, such as connection:openai
    #[arg(value_name = "NS:ID")]
    name: String,
    /// What it is, for people; kept as it was where it is not given
    #[arg(long)]
    label: Option<String>,
    /// Refuse where there is one already
    #[arg(long)]
    create: bool,
    /// Leave out the newline that standard input ends with, as `echo` writes one
    #[arg(long)]
    strip_newline: bool,
}

#[derive(clap::Args, Debug)]
pub(crate) struct Get {
    /// Its name, such as connection:openai
    #[arg(value_name = "NS:ID")]
    name: String,
}

#[derive(clap::Args, Debug)]
pub(crate) struct List {
    /// Only names that begin with this
    prefix: Option<String>,
}

#[derive(clap::Args, Debug)]
pub(crate) struct Remove {
    /// Its name, such as connection:openai
    #[arg(value_name = "NS:ID")]
    name: String,
    /// Do not ask
    #[arg(long)]
    yes: bool,
}

/// A secret as JSON.
#[derive(Serialize)]
struct SecretJson<'a> {
    name: &'a str,
    label: &'a str,
    created: String,
    modified: String,
    last_used: Option<String>,
    place: &'a str,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    value_missing: bool,
}

impl<'a> From<&'a SecretInfo> for SecretJson<'a> {
    fn from(info: &'a SecretInfo) -> Self {
        Self {
            name: &info.name,
            label: &info.label,
            created: output::time(info.created_ms),
            modified: output::time(info.modified_ms),
            last_used: info.last_used_ms.map(output::time),
            place: info.place.as_str(),
            value_missing: info.value_missing,
        }
    }
}

impl Secret {
    pub(crate) async fn run(self, context: &Context) -> Result<(), Failure> {
        match self {
            Self::Set(set) => set.run(context).await,
            Self::Get(get) => get.run(context).await,
            Self::Ls(list) => list.run(context).await,
            Self::Rm(remove) => remove.run(context).await,
        }
    }
}

impl Set {
    async fn run(self, context: &Context) -> Result<(), Failure> {
        let client = context.open().await?;
        let mut value = self.value()?;
        let new = NewSecret {
            name: &self.name,
            value: vault_client::Secret::new(std::mem::take(&mut *value)),
            label: self.label.as_deref(),
            create: self.create,
        };
        let info = client.set_secret(new).await?;
        if context.json() {
            return output::json(&SecretJson::from(&info));
        }
        output::line(&format!("set {}, {}", info.name, info.place.describe()))
    }

    fn value(&self) -> Result<Zeroizing<Vec<u8>>, Failure> {
        if prompt::possible() {
            return typed(&self.name);
        }
        let mut value = input::whole(Path::new("-"), "the value on")?;
        let newline = trailing_newline(&value);
        if self.strip_newline {
            let rest = value.len() - newline;
            value.truncate(rest);
        } else if newline > 0 && !value[..value.len() - newline].contains(&b'\n') {
            eprintln!("vaultctl: the value ends in a newline; --strip-newline leaves that out");
        }
        Ok(value)
    }
}

/// Asked twice: nobody sees what was typed.
fn typed(name: &str) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let first = prompt::secret(&format!("Value of {}", output::printable(name)))?;
    if prompt::secret("Once more")? == first {
        Ok(first)
    } else {
        Err(Failure::usage("the two values differ: nothing was set"))
    }
}

/// Length of the newline that a value ends in.
fn trailing_newline(value: &[u8]) -> usize {
    match value {
        [.., b'\r', b'\n'] => 2,
        [.., b'\n'] => 1,
        _ => 0,
    }
}

impl Get {
    async fn run(self, context: &Context) -> Result<(), Failure> {
        let client = context.open().await?;
        let secret = client.secret(&self.name).await?;
        let value = secret.value.expose();
        if context.json() {
            let mut json = serde_json::json!(SecretJson::from(&secret.info));
            json["value"] = std::str::from_utf8(value).ok().into();
            json["value_base64"] = BASE64.encode(value).into();
            return output::json(&json);
        }
        output::raw(value)?;
        if io::stdout().is_terminal() {
            output::raw(b"\n")?;
        }
        Ok(())
    }
}

impl List {
    async fn run(self, context: &Context) -> Result<(), Failure> {
        let client = context.open().await?;
        let secrets = client.secrets(&self.prefix.unwrap_or_default()).await?;
        if context.json() {
            for secret in &secrets {
                output::json(&SecretJson::from(secret))?;
            }
            return Ok(());
        }
        let rows: Vec<Vec<String>> = secrets
            .iter()
            .map(|secret| {
                let place = secret.place.as_str();
                vec![
                    secret.name.clone(),
                    if secret.value_missing {
                        format!("{place}, VALUE GONE")
                    } else {
                        place.to_owned()
                    },
                    output::time(secret.modified_ms),
                    secret.last_used_ms.map_or("-".to_owned(), output::time),
                    output::printable(&secret.label),
                ]
            })
            .collect();
        output::table(&["SECRET", "PLACE", "SET", "LAST USED", "LABEL"], &rows)
    }
}

impl Remove {
    async fn run(self, context: &Context) -> Result<(), Failure> {
        let client = context.open().await?;
        if !self.yes {
            let question = format!("Delete secret {}?", output::printable(&self.name));
            prompt::confirm(&question, "nothing was deleted")?;
        }
        client.delete_secret(&self.name).await?;
        if context.json() {
            return output::json(&serde_json::json!({ "deleted": self.name }));
        }
        output::line(&format!("deleted {}", self.name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_newline_is_stripped_and_no_more() {
        for (value, newline) in [
            (&b"key"[..], 0),
            (b"key\n", 1),
            (b"key\r\n", 2),
            (b"key\n\n", 1),
            (b"\r", 0),
            (b"", 0),
        ] {
            assert_eq!(trailing_newline(value), newline, "{value:?}");
        }
    }
}
