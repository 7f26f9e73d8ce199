use std::sync::atomic::{AtomicUsize, Ordering};

use vault_crypto::VaultId;

use super::*;
use crate::account::EntryName;

const LONG: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(100);

/// A backend whose `get` reports that it began and waits for the test, and whose `set` panics.
struct Fake {
    begun: mpsc::Sender<u8>,
    gate: mpsc::Receiver<()>,
    inside: Arc<AtomicUsize>,
}

/// The test's end of a [`Fake`].
struct Control {
    begun: mpsc::Receiver<u8>,
    gate: mpsc::Sender<()>,
    inside: Arc<AtomicUsize>,
}

fn fake() -> (Box<dyn Backend>, Control) {
    let (begun, begun_here) = mpsc::channel();
    let (gate_here, gate) = mpsc::channel();
    let inside = Arc::new(AtomicUsize::new(0));
    let control = Control {
        begun: begun_here,
        gate: gate_here,
        inside: Arc::clone(&inside),
    };
    let fake = Fake {
        begun,
        gate,
        inside,
    };
    (Box::new(fake), control)
}

impl Backend for Fake {
    fn kind(&self) -> BackendKind {
        BackendKind::Memory
    }

    fn get(&mut self, account: &Account, _: Interaction) -> Result<SecretBytes, KeyringError> {
        assert_eq!(self.inside.fetch_add(1, Ordering::SeqCst), 0, "overlap");
        assert_eq!(thread::current().name(), Some("keyring"));
        self.begun
            .send(account.vault.as_bytes()[0])
            .expect("the test listens");
        let released = self.gate.recv();
        self.inside.fetch_sub(1, Ordering::SeqCst);
        released.map_err(|_| KeyringError::Failed("the test is over".to_owned()))?;
        Ok(SecretBytes::new(account.vault.as_bytes().to_vec()))
    }

    fn set(&mut self, _: &Account, secret: &[u8], _: Interaction) -> Result<(), KeyringError> {
        panic!("a bug in the backend, quoting {secret:?}");
    }

    fn delete(&mut self, _: &Account, _: Interaction) -> Result<(), KeyringError> {
        Err(KeyringError::NoEntry)
    }

    fn probe(&mut self) -> Result<Probe, KeyringError> {
        Ok(Probe::Works)
    }

    fn unlock(&mut self, _: Option<&SecretBytes>) -> Result<(), KeyringError> {
        Ok(())
    }

    fn lock(&mut self) {}
}

fn account(vault: u8) -> Account {
    Account {
        vault: VaultId::from_bytes([vault; 16]),
        name: EntryName::StorageKey,
    }
}

#[test]
fn concurrent_calls_never_overlap() {
    let (backend, control) = fake();
    let keyring = Keyring::new(backend, LONG);
    thread::scope(|scope| {
        let calls: Vec<_> = (0..8)
            .map(|vault| {
                let keyring = &keyring;
                scope.spawn(move || keyring.get(&account(vault), Interaction::Forbidden))
            })
            .collect();
        for _ in 0..8 {
            control.begun.recv().expect("the next call begins");
            // While one call is held, no other may begin. Nothing to wait for where that holds.
            let second = control.begun.recv_timeout(Duration::from_millis(5));
            assert_eq!(second, Err(mpsc::RecvTimeoutError::Timeout));
            control.gate.send(()).expect("the backend waits");
        }
        for (vault, call) in (0..8).zip(calls) {
            let answer = call.join().expect("no panic").expect("an answer");
            assert_eq!(
                answer.expose(),
                [vault; 16],
                "each caller gets its own answer"
            );
        }
    });
    assert_eq!(control.inside.load(Ordering::SeqCst), 0);
}

#[test]
fn a_hung_backend_times_out_and_recovers() {
    let (backend, control) = fake();
    let keyring = Keyring::new(backend, SHORT);
    let error = keyring.get(&account(1), Interaction::Forbidden).err();
    assert_eq!(error, Some(KeyringError::TimedOut(SHORT)));
    let text = KeyringError::TimedOut(SHORT).to_string();
    assert!(text.contains("100ms"), "{text}");
    // The next caller waits for its turn, no longer than its own deadline.
    assert_eq!(keyring.probe(), Err(KeyringError::TimedOut(SHORT)));
    control.gate.send(()).expect("the backend waits");
    let recovered = (0..100).any(|_| keyring.probe() == Ok(Probe::Works));
    assert!(recovered, "the thread goes on after a late answer");
}

#[test]
fn a_call_given_up_before_its_turn_never_runs() {
    let (backend, control) = fake();
    let keyring = Keyring::new(backend, SHORT);
    for vault in [1, 2, 3] {
        let error = keyring.get(&account(vault), Interaction::Forbidden).err();
        assert_eq!(error, Some(KeyringError::TimedOut(SHORT)));
    }
    // Released for good: whatever still waits on the thread runs now.
    drop(control.gate);
    assert!((0..100).any(|_| keyring.probe() == Ok(Probe::Works)));
    drop(keyring);
    // The channel ends with the thread, so this is everything that ever began.
    assert_eq!(control.begun.iter().collect::<Vec<_>>(), [1]);
}

#[test]
fn a_panic_in_the_backend_is_an_error_and_not_a_dead_thread() {
    let (backend, _control) = fake();
    let keyring = Keyring::new(backend, LONG);
    let error = keyring
        .set(&account(1), b"hunter2", Interaction::Forbidden)
        .expect_err("a panic");
    assert!(matches!(error, KeyringError::Failed(_)), "{error}");
    assert!(!format!("{error} {error:?}").contains("104"), "{error}");
    assert_eq!(keyring.probe(), Ok(Probe::Works));
}

#[test]
fn a_keyring_is_shared_between_threads_and_shows_no_state() {
    fn shared<T: Send + Sync>(_: &T) {}
    let (backend, _control) = fake();
    let keyring = Arc::new(Keyring::new(backend, LONG));
    shared(&keyring);
    assert_eq!(keyring.kind(), BackendKind::Memory);
    assert_eq!(
        format!("{keyring:?}"),
        "Keyring { kind: Memory, deadline: 60s, .. }"
    );
}

#[test]
fn dropping_the_keyring_ends_the_thread_and_the_backend() {
    let (backend, control) = fake();
    drop(Keyring::new(backend, LONG));
    assert_eq!(control.begun.recv(), Err(mpsc::RecvError));
}
