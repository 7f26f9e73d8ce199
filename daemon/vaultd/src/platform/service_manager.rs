//! What the service manager is told, and asks for (`sd_notify(3)`). Where there is none, or another
//! than systemd, nothing is said.

use std::time::Duration;

/// Something to tell.
#[derive(Clone, Copy, Debug)]
pub enum Notice<'a> {
    /// Clients are served from now on; or the configuration was read anew.
    Ready,
    /// The configuration is being read anew.
    Reloading,
    /// The end has begun.
    Stopping,
    /// In which state it is, for people.
    Status(&'a str),
    /// It still does what it is there for.
    Alive,
}

/// Tells the service manager.
#[cfg(unix)]
pub fn notify(notice: Notice<'_>) {
    use sd_notify::NotifyState;
    let told = match notice {
        Notice::Ready => sd_notify::notify(&[NotifyState::Ready]),
        // In one message with the time: systemd tells by it that READY came afterwards.
        Notice::Reloading => NotifyState::monotonic_usec_now()
            .and_then(|now| sd_notify::notify(&[NotifyState::Reloading, now])),
        Notice::Stopping => sd_notify::notify(&[NotifyState::Stopping]),
        Notice::Status(text) => sd_notify::notify(&[NotifyState::Status(text)]),
        Notice::Alive => sd_notify::notify(&[NotifyState::Watchdog]),
    };
    if let Err(error) = told {
        tracing::warn!(%error, ?notice, "the service manager was not told");
    }
}

/// How often [`Notice::Alive`] has to be told; `None` where nobody waits for it.
#[cfg(unix)]
pub fn watchdog_interval() -> Option<Duration> {
    sd_notify::watchdog_enabled()
}

/// Nobody to tell.
#[cfg(windows)]
pub fn notify(_notice: Notice<'_>) {}

/// Nobody waits.
#[cfg(windows)]
pub fn watchdog_interval() -> Option<Duration> {
    None
}
