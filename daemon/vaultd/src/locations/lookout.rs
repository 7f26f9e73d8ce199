//! Looks at the places of the vault, and waits for none of them for ever: a legacy root, or models, may
//! lie on a network mount whose server is gone.

use std::{
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use vault_proto::v1::finding::Severity;
use vault_store::DataRoot;

use super::{Locations, Looked};
use crate::doctor::{Code, Finding};

/// How long a look is waited for. A disk that has to start takes longer, and is seen the next time.
const PATIENCE: Duration = Duration::from_secs(1);

/// Looks, and remembers what was seen.
#[derive(Default)]
pub struct Lookout(Arc<Shared>);

#[derive(Default)]
struct Shared {
    seen: Mutex<Seen>,
    ended: Condvar,
}

#[derive(Default)]
struct Seen {
    /// When the look that is under way began.
    begun: Option<Instant>,
    /// What was seen last.
    last: Looked,
}

impl Shared {
    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lookout {
    /// What the disk says of the places; where one does not answer, what was seen last and a finding.
    pub fn look(&self, locations: &Locations, active: &DataRoot) -> Looked {
        let mut seen = self.0.seen();
        let begun = if let Some(begun) = seen.begun {
            begun
        } else {
            let begun = Instant::now();
            seen.begun = Some(begun);
            self.begin(locations.clone(), active.clone());
            begun
        };
        let left = PATIENCE.saturating_sub(begun.elapsed());
        let waited = self
            .0
            .ended
            .wait_timeout_while(seen, left, |seen| seen.begun.is_some());
        let (seen, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
        let mut looked = seen.last.clone();
        drop(seen);
        if timeout.timed_out() {
            looked.findings.push(silent(locations));
        }
        looked
    }

    /// On a thread of its own, which ends with its look, or with the process.
    fn begin(&self, locations: Locations, active: DataRoot) {
        let shared = Arc::clone(&self.0);
        let look = move || {
            let looked = locations.look(&active);
            let mut seen = shared.seen();
            seen.last = looked;
            seen.begun = None;
            shared.ended.notify_all();
        };
        let begun = thread::Builder::new().name("locations".to_owned());
        if let Err(error) = begun.spawn(look) {
            tracing::warn!(error = %error, "no thread to look at the places of the vault");
        }
    }
}

fn silent(locations: &Locations) -> Finding {
    let legacy = locations.legacy.as_deref();
    let places = [legacy, Some(&locations.models)].into_iter().flatten();
    let places: Vec<_> = places.map(|path| path.display().to_string()).collect();
    let text = format!("no answer from the disk of {}", places.join(" or "));
    let finding = Finding::new(Severity::Warning, Code::LocationSilent, text);
    finding.remedy(
        "see whether the server of a network mount is gone: `umount -l` lets go of it; or name another \
         place by `legacy_dir` or `models_dir`",
    )
}
