//! The gateway, asked as the web asks it. Without a daemon: what it says by itself.

#![expect(clippy::tests_outside_test_module, reason = "all of it is tests")]

mod assets;
mod bodies;
mod configuration;
mod headers;
mod origins;
mod routes;
mod slow;
mod support;
mod tls;
