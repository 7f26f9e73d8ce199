//! `vault-gateway`: the vault over HTTP, for browsers and scripts.
//!
//! A thin client of the daemon: it holds no key, no table and no file. Every call it makes is made on
//! behalf of somebody who asks over HTTP, and the daemon judges that in the same call that does the
//! work.

#![deny(missing_docs)]
#![forbid(unsafe_code)]

pub mod aliases;
pub mod app;
pub mod assets;
pub mod bodies;
pub mod caller;
pub mod config;
pub mod content;
pub mod cookie;
pub mod credentials;
pub mod daemon;
pub mod events;
pub mod extract;
pub mod failure;
pub mod grpc_web;
pub mod ingress;
pub mod json;
pub mod layers;
pub mod logging;
pub mod openapi;
pub mod page;
pub mod precondition;
pub mod routes;
pub mod server;
pub mod service_manager;
pub mod signals;
pub mod upload;
