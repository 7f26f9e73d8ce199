//! A call by the way that clients take: through the socket by its path, the admission of connections,
//! HTTP/2, the permission table, and a thread that may block and looks at the data root.
//!
//! A vault that is locked, or whose keyring does not answer, is healthy: it says so.

use std::path::PathBuf;

/// Asks the daemon what any client may ask.
#[derive(Clone, Debug)]
pub struct Probe {
    socket: PathBuf,
}

impl Probe {
    /// A probe of the daemon of this process, which listens at `socket`.
    pub fn new(socket: PathBuf) -> Self {
        Self { socket }
    }

    /// One call over a new connection. An error where this process did not answer it.
    #[cfg(unix)]
    pub async fn ask(&self) -> Result<(), String> {
        use hyper_util::rt::TokioIo;
        use tokio::net::UnixStream;
        use tonic::transport::Endpoint;
        use vault_proto::v1::{StatusRequest, vault_client::VaultClient};

        let socket = self.socket.clone();
        let connector = tower::service_fn(move |_: http::Uri| {
            let connected = UnixStream::connect(socket.clone());
            async { connected.await.map(TokioIo::new) }
        });
        // The name is not looked up; HTTP/2 wants one.
        let channel = Endpoint::from_static("http://vaultd.local")
            .connect_with_connector(connector)
            .await
            .map_err(|error| error.to_string())?;
        let answer = VaultClient::new(channel).status(StatusRequest {}).await;
        let pid = answer.map_err(|error| error.to_string())?.into_inner().pid;
        if pid == std::process::id() {
            Ok(())
        } else {
            Err(format!(
                "process {pid} answers at {}",
                self.socket.display()
            ))
        }
    }

    /// No service manager asks here.
    #[cfg(not(unix))]
    pub async fn ask(&self) -> Result<(), String> {
        let _ = &self.socket;
        Ok(())
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::{cell::Cell, time::Duration};

    use tokio::net::UnixListener;

    use super::*;
    use crate::supervision::watchdog::feed;

    /// How often three questions at a socket feed the watchdog.
    async fn fed_by(socket: PathBuf) -> usize {
        let probe = Probe::new(socket);
        let (asked, fed) = (Cell::new(0), Cell::new(0));
        let (enough, mut ended) = tokio::sync::mpsc::unbounded_channel();
        let ask = || {
            asked.set(asked.get() + 1);
            if asked.get() > 3 {
                let _ = enough.send(());
            }
            probe.ask()
        };
        tokio::select! {
            () = feed(Duration::from_millis(200), ask, || fed.set(fed.get() + 1)) => {}
            _ = ended.recv() => {}
        }
        fed.get()
    }

    #[tokio::test]
    async fn a_socket_behind_which_nobody_answers_feeds_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("s");
        assert_eq!(fed_by(path.clone()).await, 0, "there is none");
        let listener = UnixListener::bind(&path).expect("bound");
        assert_eq!(fed_by(path.clone()).await, 0, "nobody takes the connection");
        // Taken, and nothing more: a daemon whose calls all wait for each other.
        let taking = tokio::spawn(async move {
            let mut taken = Vec::new();
            while let Ok((stream, _)) = listener.accept().await {
                taken.push(stream);
            }
        });
        assert_eq!(fed_by(path).await, 0, "nobody answers the call");
        taking.abort();
    }
}
