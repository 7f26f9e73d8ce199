//! The vaultd process: configuration, socket, peer identity, permission table, RPC services and
//! lifecycle. The rules of the vault itself are in `vault-store`.

#![deny(missing_docs)]

pub mod audit;
mod auth_anchor;
mod auth_error;
mod callers;
pub mod config;
mod cork;
pub mod doctor;
pub mod error;
mod keeper;
mod key_error;
mod key_source;
mod key_state;
pub mod listener;
pub mod locations;
pub mod logging;
pub mod metrics;
pub mod permission;
pub mod platform;
pub mod principal;
pub mod reload;
mod secret_entries;
pub mod server;
mod service;
pub mod signals;
mod supervision;
mod web_call;
