//! The thread that owns a backend.
//!
//! A keyring call can hang for as long as the other process likes, and the Secret Service store
//! panics when called from an async runtime's worker. So one plain thread makes all calls, one at a
//! time, and callers wait for a bounded time only.

use std::{
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Condvar, Mutex, PoisonError, mpsc},
    thread,
    time::{Duration, Instant},
};

use vault_crypto::{SecretBytes, SecretName, VaultId, scrub_stack};

use crate::{
    account::Account,
    backend::{Backend, BackendKind, Interaction, Probe},
    error::KeyringError,
};

/// How much of the thread's stack is overwritten after a call, in bytes: several times what a
/// conversation over D-Bus uses, which decrypts on it.
const SCRUBBED: usize = 128 << 10;

type Job = Box<dyn FnOnce(&mut dyn Backend) + Send>;

/// A backend on a thread of its own. The methods are those of [`Backend`], callable from any
/// thread; they block for at most the deadline, so an async caller uses a blocking thread.
///
/// A call that timed out before its turn never runs. One that had begun runs on, and its answer is
/// dropped: after [`KeyringError::TimedOut`] from a write, read before writing again. The deadline
/// bounds a dialog too; one answered late has unlocked the keyring for the next call.
pub struct Keyring {
    kind: BackendKind,
    deadline: Duration,
    turn: Arc<Turn>,
    jobs: mpsc::Sender<Job>,
}

impl Keyring {
    /// Starts the thread, which ends once this is dropped and the last call has returned. The
    /// deadline covers the wait for earlier calls too.
    pub fn new(mut backend: Box<dyn Backend>, deadline: Duration) -> Self {
        let kind = backend.kind();
        let (jobs, queue) = mpsc::channel::<Job>();
        let serve = move || {
            for job in queue {
                job(backend.as_mut());
            }
        };
        // Without the thread every call fails and says so: the daemon must start and report it.
        if let Err(error) = thread::Builder::new()
            .name("keyring".to_owned())
            .spawn(serve)
        {
            tracing::error!(%error, "the keyring thread could not be started");
        }
        Self {
            kind,
            deadline,
            turn: Arc::default(),
            jobs,
        }
    }

    /// Which backend this is.
    pub fn kind(&self) -> BackendKind {
        self.kind
    }

    /// See [`Backend::get`].
    pub fn get(
        &self,
        account: &Account,
        interaction: Interaction,
    ) -> Result<SecretBytes, KeyringError> {
        let account = account.clone();
        self.call(move |backend| backend.get(&account, interaction))
    }

    /// See [`Backend::set`].
    pub fn set(
        &self,
        account: &Account,
        secret: &[u8],
        interaction: Interaction,
    ) -> Result<(), KeyringError> {
        let (account, secret) = (account.clone(), SecretBytes::new(secret.to_vec()));
        self.call(move |backend| backend.set(&account, secret.expose(), interaction))
    }

    /// See [`Backend::delete`].
    pub fn delete(&self, account: &Account, interaction: Interaction) -> Result<(), KeyringError> {
        let account = account.clone();
        self.call(move |backend| backend.delete(&account, interaction))
    }

    /// See [`Backend::list`].
    pub fn list(
        &self,
        vault: VaultId,
        interaction: Interaction,
    ) -> Result<Vec<SecretName>, KeyringError> {
        self.call(move |backend| backend.list(vault, interaction))
    }

    /// See [`Backend::probe`].
    pub fn probe(&self) -> Result<Probe, KeyringError> {
        self.call(|backend| backend.probe())
    }

    /// See [`Backend::unlock`].
    pub fn unlock(&self, passphrase: Option<&SecretBytes>) -> Result<(), KeyringError> {
        let passphrase = passphrase.map(|text| SecretBytes::new(text.expose().to_vec()));
        self.call(move |backend| backend.unlock(passphrase.as_ref()))
    }

    /// See [`Backend::lock`]. An error means that the backend may still hold secrets.
    pub fn lock(&self) -> Result<(), KeyringError> {
        self.call(|backend| {
            backend.lock();
            Ok(())
        })
    }

    fn call<T: Send + 'static>(
        &self,
        call: impl FnOnce(&mut dyn Backend) -> Result<T, KeyringError> + Send + 'static,
    ) -> Result<T, KeyringError> {
        let timed_out = || KeyringError::TimedOut(self.deadline);
        let begun = Instant::now();
        let taken = Taken::wait(&self.turn, self.deadline).ok_or_else(timed_out)?;
        let rest = self.deadline.saturating_sub(begun.elapsed());
        if rest.is_zero() {
            return Err(timed_out());
        }
        let (reply, answer) = mpsc::sync_channel(1);
        let job = move |backend: &mut dyn Backend| {
            // The payload of a panic may quote data, so it is left to the panic hook.
            let result = catch_unwind(AssertUnwindSafe(|| call(backend))).unwrap_or_else(|_| {
                Err(KeyringError::Failed(
                    "the keyring backend panicked".to_owned(),
                ))
            });
            scrub_stack::<SCRUBBED>();
            drop(taken);
            // A caller that gave up is not told; its answer is zeroed here.
            let _ = reply.send(result);
        };
        self.jobs
            .send(Box::new(job))
            .map_err(|_| KeyringError::Failed("the keyring thread is not running".to_owned()))?;
        answer.recv_timeout(rest).unwrap_or_else(|error| {
            Err(match error {
                mpsc::RecvTimeoutError::Timeout => timed_out(),
                mpsc::RecvTimeoutError::Disconnected => {
                    KeyringError::Failed("the keyring thread is not running".to_owned())
                }
            })
        })
    }
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyring")
            .field("kind", &self.kind)
            .field("deadline", &self.deadline)
            .finish_non_exhaustive()
    }
}

/// Whose turn it is. Callers wait here and not in a queue, so that one who gives up leaves nothing
/// behind: no call that runs later, no secret in a queue, no growth while a keyring hangs.
#[derive(Default)]
struct Turn {
    busy: Mutex<bool>,
    free: Condvar,
}

/// The turn, given back when dropped: after the call, or where the call could not be made.
struct Taken(Arc<Turn>);

impl Taken {
    fn wait(turn: &Arc<Turn>, patience: Duration) -> Option<Self> {
        let busy = turn.busy.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut busy, _) = turn
            .free
            .wait_timeout_while(busy, patience, |busy| *busy)
            .unwrap_or_else(PoisonError::into_inner);
        if *busy {
            return None;
        }
        *busy = true;
        Some(Self(Arc::clone(turn)))
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        *self.0.busy.lock().unwrap_or_else(PoisonError::into_inner) = false;
        self.0.free.notify_one();
    }
}

#[cfg(test)]
mod tests;
