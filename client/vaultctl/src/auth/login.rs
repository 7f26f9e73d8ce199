//! `vaultctl auth login`.

mod browser;
mod device;
mod listener;
mod page;

use serde_json::json;
use vault_client::{
    BaseUrl, Client, LoginGrant, Options, Permission, Principal, Scope, Secret, Token,
};

use super::{gateway, revoke, texts, tokens};
use crate::{context::Context, failure::Failure, output, token};

#[derive(clap::Args, Debug)]
pub(crate) struct Login {
    /// What the token is to reach, such as notes:read or chat/*:write; may be given more than once
    /// [default: *:admin, whatever this command line can do over the socket]
    #[arg(long, value_name = "STORES:PERMISSION")]
    scope: Vec<Scope>,
    /// What the token is called [default: vaultctl on this machine's name]
    #[arg(long)]
    label: Option<String>,
    /// Show a code and an address, for a machine without a browser
    #[arg(long)]
    device: bool,
    /// Show the address to open, and open nothing
    #[arg(long, conflicts_with = "device")]
    no_browser: bool,
    /// Keep the token in the operating system's keyring
    #[arg(long)]
    keyring: bool,
}

/// What a login asks for.
struct Asked {
    label: String,
    scopes: Vec<Scope>,
}

impl Login {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        let place = if self.keyring {
            token::Place::Keyring
        } else {
            token::Place::File
        };
        if let Some(file) = &context.global.token_file {
            let secret = token::read(file)?;
            return take(context, secret, place).await;
        }
        let base = gateway(context)?;
        let client = Client::connect(&at(&base)).await?;
        let (token, secret) = if self.device {
            device::login(&client, &base, &self.asked()).await?
        } else {
            self.by_browser(&client, &base).await?
        };
        let saved = token::save(base.as_str(), &secret, place).await?;
        end_earlier(at(&base), saved.earlier, &secret).await;
        if context.json() {
            let mut printed = tokens::as_json(&token);
            printed["vault"] = base.as_str().into();
            printed["saved"] = saved.place.into();
            return output::json(&printed);
        }
        let scopes = texts(&token.scopes).join(" ");
        output::line(&format!("signed in to {base} for {scopes}"))?;
        output::line(&format!("the token is saved in {}", saved.place))
    }

    fn asked(&self) -> Asked {
        let all = || Scope {
            stores: "*".to_owned(),
            permission: Permission::Admin,
        };
        Asked {
            label: self.label.clone().unwrap_or_else(own_label),
            scopes: match &self.scope[..] {
                [] => vec![all()],
                scopes => scopes.to_vec(),
            },
        }
    }

    async fn by_browser(
        &self,
        client: &Client,
        base: &BaseUrl,
    ) -> Result<(Token, Secret), Failure> {
        let listener = listener::Listener::open().await?;
        let redirect_uri = listener.redirect_uri();
        let request = browser::Request::new(base, &self.asked(), &redirect_uri)?;
        eprintln!("vaultctl: approve this in a browser:\n{}", request.address);
        if !self.no_browser && !browser::open(&request.address) {
            eprintln!("vaultctl: no browser was found here; --device needs none on this machine");
        }
        let code = listener.code(request.state, listener::PATIENCE).await?;
        let grant = LoginGrant::Authorization {
            code,
            verifier: request.pkce.verifier,
            redirect_uri,
        };
        Ok(client.exchange_login(&grant).await?)
    }
}

fn at(base: &BaseUrl) -> Options {
    Options {
        base_url: Some(base.clone()),
        ..Options::default()
    }
}

/// Revokes the token that another took the place of: nobody has it any more.
async fn end_earlier(options: Options, earlier: Result<Option<Secret>, Failure>, new: &Secret) {
    match earlier {
        Ok(Some(earlier)) if earlier.expose() != new.expose() => {
            revoke::by_itself(options, earlier, "the earlier").await;
        }
        Ok(_) => {}
        Err(failure) => revoke::not_revoked(failure, "the earlier"),
    }
}

/// Saves a token that is there already, for the vault that was named, once that takes it.
async fn take(context: &Context, secret: Secret, place: token::Place) -> Result<(), Failure> {
    let options = Options {
        token: Some(secret.clone()),
        ..context.options()
    };
    let vault = options.place()?;
    let status = Client::connect(&options).await?.auth_status().await?;
    if status.principal != Principal::Token {
        return Err(Failure::locked(format!(
            "{} does not take this token",
            output::printable(&vault)
        )));
    }
    let saved = token::save(&vault, &secret, place).await?;
    end_earlier(context.options(), saved.earlier, &secret).await;
    if context.json() {
        return output::json(&json!({
            "id": status.token_id,
            "scopes": texts(&status.scopes),
            "vault": vault,
            "saved": saved.place,
        }));
    }
    output::line(&format!("the token is saved in {}", saved.place))
}

/// Tells the tokens of several machines apart.
fn own_label() -> String {
    #[cfg(unix)]
    let name = rustix::system::uname()
        .nodename()
        .to_string_lossy()
        .into_owned();
    #[cfg(windows)]
    let name = std::env::var("COMPUTERNAME").unwrap_or_default();
    // A label has 64 characters at most.
    let name: String = name.chars().take(50).collect();
    if name.is_empty() {
        "vaultctl".to_owned()
    } else {
        format!("vaultctl on {name}")
    }
}
