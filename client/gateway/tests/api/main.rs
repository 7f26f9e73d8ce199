//! The routes of stores, over real connections and in front of a real daemon.

#![cfg(unix)]

mod content;
mod documents;
mod grpc_web;
mod limits;
mod support;
mod vault;
mod watch;
