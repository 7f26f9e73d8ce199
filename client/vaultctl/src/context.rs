//! What every command works with: the connection, and how to print.

use vault_client::{Client, KeyState, Options};

use crate::{Global, failure::Failure, passphrase, prompt, token};

/// The options of this run.
pub(crate) struct Context {
    pub(crate) global: Global,
}

impl Context {
    pub(crate) fn new(global: Global) -> Self {
        Self { global }
    }

    /// Whether to print JSON.
    pub(crate) fn json(&self) -> bool {
        self.global.json
    }

    /// How the vault is reached, without a token.
    pub(crate) fn options(&self) -> Options {
        Options {
            data_dir: self.global.data_dir.clone(),
            socket: self.global.socket.clone(),
            no_autostart: self.global.no_autostart,
            base_url: self.global.base_url.clone(),
            token: None,
        }
    }

    /// Connects to the daemon, whatever the state of its key.
    pub(crate) async fn connect(&self) -> Result<Client, Failure> {
        let options = self.authorized(self.options()).await?;
        Ok(Client::connect(&options).await?)
    }

    /// Connects to the daemon of this machine if it runs, and starts none.
    #[cfg(unix)]
    pub(crate) async fn connect_to_running(&self) -> Result<Option<Client>, Failure> {
        let options = Options {
            no_autostart: true,
            base_url: None,
            ..self.options()
        };
        let options = self.authorized(options).await?;
        match Client::connect(&options).await {
            Err(vault_client::Error::NoDaemon { .. }) => Ok(None),
            connected => Ok(Some(connected?)),
        }
    }

    /// With the token that was named or saved for the vault.
    async fn authorized(&self, mut options: Options) -> Result<Options, Failure> {
        options.token = match &self.global.token_file {
            Some(file) => Some(token::read(file)?),
            None => token::saved(&options.place()?).await?,
        };
        Ok(options)
    }

    /// Connects, and where the vault waits for its passphrase, asks for it once (or takes it from
    /// the file named) and goes on.
    pub(crate) async fn open(&self) -> Result<Client, Failure> {
        let client = self.connect().await?;
        let may_ask = self.global.passphrase_file.is_some() || prompt::possible();
        if may_ask {
            let status = client.status().await?;
            let locked = matches!(status.key_state, KeyState::KeyringLocked | KeyState::Locked);
            let waits = status.keyring_backend == "passphrase" && locked;
            if waits {
                let passphrase = passphrase::read(self.global.passphrase_file.as_deref())?;
                client.unlock(Some(&passphrase)).await?;
            }
        }
        Ok(client)
    }
}
