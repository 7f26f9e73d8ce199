//! Why nothing was fetched.

use std::{io, net::IpAddr, time::Duration};

/// Why a URL was not fetched, or not to its end. Names hosts, never a whole URL: it may hold a key.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// It is not a URL.
    #[error("not a URL: {0}; give one such as https://example.org/picture.png")]
    Url(String),
    /// Something other than http and https.
    #[error("only http and https are fetched, not {0}; fetch it by other means and give the file")]
    Scheme(String),
    /// A user or a password in the URL.
    #[error("a user or a password in a URL ends up in logs: give the URL without them")]
    Credentials,
    /// It leads to an address that is not public.
    #[error(
        "{host} leads to {address}, which is {kind}: only public addresses are fetched from; \
         fetch it by other means and give the file"
    )]
    Special {
        /// The host of the URL.
        host: String,
        /// The address.
        address: IpAddr,
        /// What it is.
        kind: &'static str,
    },
    /// https that was redirected to http.
    #[error(
        "{host} redirects from https to http, where anybody on the way could change the content"
    )]
    Downgrade {
        /// Who redirects.
        host: String,
    },
    /// One redirect after the other.
    #[error("more than {0} redirects; give the URL that they end at")]
    Redirects(usize),
    /// The name has no address.
    #[error("{host} has no address: {detail}; check the spelling and the network")]
    Unresolved {
        /// The host of the URL.
        host: String,
        /// What the system said.
        detail: String,
    },
    /// None of its addresses answers.
    #[error("no connection to {host}: {detail}")]
    Unreachable {
        /// The host of the URL.
        host: String,
        /// What the system said.
        detail: String,
    },
    /// The system trusts no certificate authority.
    #[error(
        "this system has no certificate authorities: install its package ca-certificates, or name \
         a file of them in SSL_CERT_FILE{0}"
    )]
    NoAuthorities(String),
    /// The TLS handshake failed.
    #[error("no trusted connection to {host}: {detail}")]
    Untrusted {
        /// The host of the URL.
        host: String,
        /// What was wrong.
        detail: String,
    },
    /// Another status than 200.
    #[error("{host} answers {status}; check the URL")]
    Answered {
        /// The host of the URL.
        host: String,
        /// The status with its text.
        status: String,
    },
    /// A content coding that was not asked for, which could unpack to any size.
    #[error("{host} sends packed content ({coding}) though it was not asked to; give another URL")]
    Encoded {
        /// The host of the URL.
        host: String,
        /// What the server says of it.
        coding: String,
    },
    /// More than the limit.
    #[error("{host} sends more than the {limit} bytes that are fetched from one source")]
    TooLarge {
        /// The host of the URL.
        host: String,
        /// In bytes.
        limit: u64,
    },
    /// The server fell silent.
    #[error("{host} sent nothing for {} seconds; try again", .waited.as_secs_f64())]
    Silent {
        /// The host of the URL.
        host: String,
        /// How long was waited.
        waited: Duration,
    },
    /// It took too long in all.
    #[error("{host} was not done after {} seconds; try again on a faster network", .deadline.as_secs_f64())]
    Deadline {
        /// The host of the URL.
        host: String,
        /// The time there was.
        deadline: Duration,
    },
    /// The connection broke, or what came over it is not HTTP.
    #[error("the answer of {host} broke off or is not HTTP: {detail}; try again")]
    Broken {
        /// The host of the URL.
        host: String,
        /// What was wrong.
        detail: String,
    },
}

impl FetchError {
    /// It was refused for where it leads, and not for what it is or how it went.
    pub fn is_refusal(&self) -> bool {
        matches!(self, Self::Special { .. } | Self::Downgrade { .. })
    }

    /// It is the URL as given that cannot be fetched.
    pub fn is_usage(&self) -> bool {
        matches!(self, Self::Url(_) | Self::Scheme(_) | Self::Credentials)
    }
}

/// What a reader of the content gets.
impl From<FetchError> for io::Error {
    fn from(error: FetchError) -> Self {
        io::Error::other(error)
    }
}
