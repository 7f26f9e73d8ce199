//! The gateway: parse, build, run, drain.

use std::{alloc::System, process::ExitCode};

use clap::Parser as _;
use vault_gateway::{
    config::{Config, Flags},
    logging,
    server::{Server, raise_file_limit},
    service_manager::{Notice, notify},
    signals,
};
use zeroizing_alloc::ZeroAlloc;

/// Zeroes memory as it is freed: tokens and documents pass through buffers of other crates, too.
#[global_allocator]
static ALLOCATOR: ZeroAlloc<System> = ZeroAlloc(System);

/// Exit code for a configuration that cannot be used (`EX_CONFIG` of sysexits.h).
const BAD_CONFIGURATION: u8 = 78;

fn main() -> ExitCode {
    let flags = Flags::parse();
    let mut config = match Config::load(&flags) {
        Ok(config) => config,
        Err(error) => {
            eprintln!("vault-gateway: {error}");
            return ExitCode::from(BAD_CONFIGURATION);
        }
    };
    if let Err(error) = logging::start(&config.log) {
        eprintln!("vault-gateway: configuration: log: {error}");
        return ExitCode::from(BAD_CONFIGURATION);
    }
    config.limits.connections = raise_file_limit(config.limits.connections);
    match run(config) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("vault-gateway: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(config: Config) -> Result<(), Box<dyn std::error::Error>> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let served = runtime.block_on(async {
        let server = Server::bind(config).await?;
        signals::renew_on_hangup(server.tls());
        announce(&server);
        notify(Notice::Ready);
        server
            .serve(async {
                signals::told_to_stop().await;
                notify(Notice::Stopping);
                tracing::info!("stopping");
            })
            .await;
        Ok(())
    });
    // What still runs was given its time.
    runtime.shutdown_background();
    served
}

/// Says where it listens, and what is unwise about that.
fn announce(server: &Server) {
    let address = server.address();
    let secure = server.tls().is_some();
    let scheme = if secure { "https" } else { "http" };
    // Browsers have passkeys for a name only.
    let host = if address.ip().is_loopback() {
        format!("localhost:{}", address.port())
    } else {
        address.to_string()
    };
    tracing::info!(address = %format_args!("{scheme}://{host}/"), "ready");
    let proxied = !server.app().config.trusted_proxies.is_empty();
    if !address.ip().is_loopback() && !secure && !proxied {
        tracing::warn!(
            "others on the network can read what is sent: set tls_cert and tls_key, or put a proxy \
             with HTTPS before it and name it in trusted_proxies"
        );
    }
}
