//! What the service manager is told (`sd_notify(3)`). Where there is none, nothing is said.

/// Something to tell.
#[derive(Clone, Copy, Debug)]
pub enum Notice {
    /// It serves from now on; or the certificate was read anew.
    Ready,
    /// The certificate is being read anew.
    Reloading,
    /// The end has begun.
    Stopping,
}

/// Tells the service manager.
#[cfg(unix)]
pub fn notify(notice: Notice) {
    use sd_notify::NotifyState;
    let told = match notice {
        Notice::Ready => sd_notify::notify(&[NotifyState::Ready]),
        Notice::Reloading => NotifyState::monotonic_usec_now()
            .and_then(|now| sd_notify::notify(&[NotifyState::Reloading, now])),
        Notice::Stopping => sd_notify::notify(&[NotifyState::Stopping]),
    };
    if let Err(error) = told {
        tracing::warn!(%error, ?notice, "the service manager was not told");
    }
}

/// Nobody to tell.
#[cfg(not(unix))]
pub fn notify(_notice: Notice) {}
