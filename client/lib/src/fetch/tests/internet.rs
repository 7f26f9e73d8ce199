//! An internet in memory: names, addresses, and servers that answer by script. Its time is tokio's,
//! which stands still until nothing else is left to do.

use std::{
    collections::HashMap,
    io,
    net::{IpAddr, SocketAddr},
    sync::Mutex,
    time::Duration,
};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};

use crate::fetch::network::{Network, Stream};

/// What a server does once it has read a request.
#[derive(Clone)]
pub(super) enum Server {
    /// Sends this and closes.
    Sends(String),
    /// Sends this and falls silent.
    FallsSilent(String),
    /// Sends this, and then a letter again and again after this long.
    GoesOn(String, Duration),
    /// Nobody answers the telephone.
    Unreachable,
}

#[derive(Default)]
pub(super) struct Internet {
    /// For each name, what is answered the first time, the second time and so on.
    names: HashMap<&'static str, Vec<Vec<IpAddr>>>,
    servers: HashMap<IpAddr, Server>,
    /// Names that were asked for.
    pub(super) asked: Mutex<Vec<String>>,
    /// Addresses that were dialled.
    pub(super) dialled: Mutex<Vec<String>>,
}

impl Internet {
    /// With a name that has these addresses, whenever it is asked for.
    pub(super) fn name(self, name: &'static str, addresses: &[&str]) -> Self {
        self.changing_name(name, &[addresses])
    }

    /// With a name that has other addresses each time; the last ones stay.
    pub(super) fn changing_name(mut self, name: &'static str, answers: &[&[&str]]) -> Self {
        let parse = |text: &&str| text.parse().expect("an address");
        let answers = answers
            .iter()
            .map(|answer| answer.iter().map(parse).collect());
        self.names.insert(name, answers.collect());
        self
    }

    /// With a server at an address.
    pub(super) fn server(mut self, address: &str, server: Server) -> Self {
        let address = address.parse().expect("an address");
        self.servers.insert(address, server);
        self
    }

    /// With a server that sends this on.
    pub(super) fn redirect(self, address: &str, location: &str) -> Self {
        let answer = format!("HTTP/1.1 302 Found\r\nLocation: {location}\r\n\r\n");
        self.server(address, Server::Sends(answer))
    }

    pub(super) fn dialled(&self) -> Vec<String> {
        self.dialled.lock().expect("no thread panicked").clone()
    }

    pub(super) fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("no thread panicked").clone()
    }
}

impl Network for Internet {
    async fn resolve(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        let mut asked = self.asked.lock().expect("no thread panicked");
        let before = asked.iter().filter(|name| *name == host).count();
        asked.push(host.to_owned());
        let Some(answers) = self.names.get(host) else {
            return Err(io::Error::other("no such name"));
        };
        Ok(answers[before.min(answers.len() - 1)].clone())
    }

    async fn dial(&self, address: SocketAddr) -> io::Result<Box<dyn Stream>> {
        let mut dialled = self.dialled.lock().expect("no thread panicked");
        dialled.push(address.to_string());
        match self.servers.get(&address.ip()) {
            None => Err(io::ErrorKind::ConnectionRefused.into()),
            Some(Server::Unreachable) => Err(io::ErrorKind::HostUnreachable.into()),
            Some(server) => {
                let (near, far) = tokio::io::duplex(64 << 10);
                tokio::spawn(serve(far, server.clone()));
                Ok(Box::new(near))
            }
        }
    }
}

/// Answers one request. Whoever asked may have gone away in between.
async fn serve(mut stream: DuplexStream, server: Server) -> io::Result<()> {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        request.push(stream.read_u8().await?);
    }
    match server {
        // The request comes back, so that a test can look at it.
        Server::Sends(answer) => {
            let answer = answer.replace("{request}", &String::from_utf8_lossy(&request));
            stream.write_all(answer.as_bytes()).await
        }
        Server::FallsSilent(answer) => {
            stream.write_all(answer.as_bytes()).await?;
            std::future::pending().await
        }
        Server::GoesOn(answer, pause) => {
            stream.write_all(answer.as_bytes()).await?;
            loop {
                tokio::time::sleep(pause).await;
                stream.write_all(b"x").await?;
            }
        }
        Server::Unreachable => Ok(()),
    }
}
