//! What every request goes through before its handler, in this order:
//!
//! 1. [`proxies`]: who asks and by which address, where a proxy that is trusted stands between;
//! 2. [`headers`]: what browsers are told to refuse;
//! 3. [`logging`];
//! 4. [`no_store`]: what belongs to the user stays in no cache;
//! 5. [`host`]: one Host, well formed. Whether it is admitted is the daemon's to say, and it says so
//!    before it looks at credentials;
//! 6. [`request`]: credentials are taken out of the head, and all is put together for the daemon,
//!    which judges it in each call;
//! 7. [`cors`]: other origins, where some are configured.
//!
//! Before all of them, a token is taken out of the address, so that nothing can show it.

pub mod cors;
pub mod forwarded;
pub mod headers;
pub mod host;
pub mod logging;
pub mod no_store;
pub mod proxies;
pub mod request;

use axum::{
    Router,
    middleware::{from_fn, from_fn_with_state},
};

use crate::app::App;

/// Puts the layers around `routes`. The last one added is the first one through.
pub fn around(app: &App, routes: Router<App>) -> Router<App> {
    routes
        .layer(from_fn_with_state(app.clone(), cors::layer))
        .layer(from_fn_with_state(app.clone(), request::layer))
        .layer(from_fn(host::layer))
        .layer(from_fn(no_store::layer))
        .layer(from_fn(logging::layer))
        .layer(from_fn(headers::layer))
        .layer(from_fn_with_state(app.clone(), proxies::layer))
}
