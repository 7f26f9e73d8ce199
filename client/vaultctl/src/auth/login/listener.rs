//! Where the browser hands back what was decided (RFC 8252, section 7.3).

use std::{io, net::Ipv4Addr, sync::Arc, time::Duration};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    time::timeout,
};
use url::form_urlencoded;
use vault_client::Secret;
use zeroize::Zeroizing;

use super::page;
use crate::failure::Failure;

/// How long somebody may take to sign in and decide.
pub(super) const PATIENCE: Duration = Duration::from_secs(5 * 60);
/// How long a connection may take to say what it wants: browsers open some that say nothing.
const HEAD_PATIENCE: Duration = Duration::from_secs(10);
/// Largest head of a request, in bytes.
const HEAD_LIMIT: usize = 8 << 10;

const PATH: &str = "/callback";

/// Listens on the loopback, at a port of its own.
pub(super) struct Listener {
    listener: TcpListener,
    port: u16,
}

/// What the browser brought: a code, or the word for why there is none.
type Outcome = Result<Secret, String>;

impl Listener {
    pub(super) async fn open() -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let port = listener.local_addr()?.port();
        Ok(Self { listener, port })
    }

    /// Where the browser is sent at the end.
    pub(super) fn redirect_uri(&self) -> String {
        format!("http://127.0.0.1:{}{PATH}", self.port)
    }

    /// Waits for the code. An answer without `state` is somebody else's, and changes nothing.
    pub(super) async fn code(self, state: Secret, patience: Duration) -> Result<Secret, Failure> {
        let (sender, mut receiver) = mpsc::channel(1);
        let listening = tokio::spawn(listen(self.listener, Arc::new(state), sender));
        let outcome = timeout(patience, receiver.recv()).await;
        listening.abort();
        match outcome {
            Ok(Some(Ok(code))) => Ok(code),
            Ok(Some(Err(word))) if word == "access_denied" => {
                Err(Failure::locked("the login was refused in the browser"))
            }
            Ok(Some(Err(word))) => Err(Failure::locked(format!("the login failed: {word}"))),
            Ok(None) => Err(Failure::other("the listener ended")),
            Err(_) => Err(Failure::locked(format!(
                "nobody decided within {} s: run `vaultctl auth login` again",
                patience.as_secs()
            ))),
        }
    }
}

async fn listen(listener: TcpListener, state: Arc<Secret>, sender: mpsc::Sender<Outcome>) {
    while let Ok((stream, _)) = listener.accept().await {
        let (state, sender) = (Arc::clone(&state), sender.clone());
        tokio::spawn(async move {
            let served = serve(stream, &state).await;
            if let Ok(Some(outcome)) = served {
                // Whoever is second is not waited for any more.
                let _ = sender.try_send(outcome);
            }
        });
    }
}

/// Answers one request; what it brought, once the browser has its page.
async fn serve(mut stream: TcpStream, state: &Secret) -> io::Result<Option<Outcome>> {
    let head = timeout(HEAD_PATIENCE, head(&mut stream)).await??;
    let (outcome, answer) = match target(&head).map(|query| read(query, state)) {
        None => (
            None,
            page::answer("404 Not Found", "There is nothing here."),
        ),
        Some(None) => {
            let sentence = "This answer belongs to another login. Nothing was changed.";
            (None, page::answer("400 Bad Request", sentence))
        }
        Some(Some(outcome)) => {
            let sentence = match outcome {
                Ok(_) => "Done. You can close this page and go back to the terminal.",
                Err(_) => "The login was refused. You can close this page.",
            };
            (Some(outcome), page::answer("200 OK", sentence))
        }
    };
    stream.write_all(answer.as_bytes()).await?;
    stream.shutdown().await?;
    Ok(outcome)
}

async fn head(stream: &mut TcpStream) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut head = Zeroizing::new(Vec::with_capacity(HEAD_LIMIT));
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        let room = (HEAD_LIMIT - head.len()) as u64;
        if stream.take(room).read_buf(&mut *head).await? == 0 {
            return Err(io::ErrorKind::InvalidData.into());
        }
    }
    Ok(head)
}

/// The query of a request for our path.
fn target(head: &[u8]) -> Option<&str> {
    let line = head.split(|byte| *byte == b'\r').next()?;
    let mut words = std::str::from_utf8(line).ok()?.split(' ');
    let (method, target) = (words.next()?, words.next()?);
    let (path, query) = target.split_once('?')?;
    (method == "GET" && path == PATH).then_some(query)
}

/// What a query brings; nothing where its state is not ours.
fn read(query: &str, state: &Secret) -> Option<Outcome> {
    let value = |wanted: &str| {
        let mut pairs = form_urlencoded::parse(query.as_bytes());
        let found = pairs.find(|(name, _)| name == wanted);
        found.map(|(_, value)| value.into_owned())
    };
    if value("state")?.as_bytes() != state.expose() {
        return None;
    }
    let code = value("code").filter(|code| !code.is_empty());
    let code = code.map(|code| Secret::new(code.into_bytes()));
    Some(code.ok_or_else(|| value("error").unwrap_or_else(|| "no code came".to_owned())))
}

#[cfg(test)]
mod tests;
