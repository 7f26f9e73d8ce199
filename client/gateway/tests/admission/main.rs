//! Who is let in where: the real gateway before a real daemon, asked by everybody in every way, and what
//! their logs say of it.

mod calls;
mod credentials;
// Tables are read by their columns.
#[rustfmt::skip]
mod expected;
mod http1;
mod logs;
mod matrix;
mod requests;
mod vault;
