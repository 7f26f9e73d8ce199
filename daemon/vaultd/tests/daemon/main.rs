//! The real daemon, from outside: started on a temporary data root, reached by its socket.

#![cfg(target_os = "linux")]

mod abuse;
mod damage;
mod desktop;
mod documents;
mod isolation;
mod keys;
mod kill;
mod lifecycle;
mod socket;
mod stores;
mod support;
