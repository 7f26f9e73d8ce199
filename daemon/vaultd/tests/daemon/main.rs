//! The real daemon, from outside: started on a temporary data root, reached by its socket.

#![cfg(target_os = "linux")]

mod abuse;
mod attachments;
mod audit;
mod auth;
mod blobs;
mod connections;
mod damage;
mod databases;
mod derivation;
mod desktop;
mod doctor;
mod documents;
mod files;
mod idle;
mod isolation;
mod key_place;
mod keys;
mod kill;
mod lifecycle;
mod maintenance;
mod memory;
mod presets;
mod recovery;
mod rotation;
mod rotation_stops;
mod secrets;
mod service_manager;
mod socket;
mod stats;
mod stores;
mod support;
