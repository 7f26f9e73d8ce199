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
    /// The look that is under way: its number, and when it began.
    under_way: Option<(u64, Instant)>,
    /// The number of the last one that ended.
    ended: u64,
    /// What was seen last.
    last: Looked,
}

impl Shared {
    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A look under way, which ends however its thread does.
struct Look {
    shared: Arc<Shared>,
    number: u64,
    looked: Option<Looked>,
}

impl Look {
    fn run(mut self, locations: &Locations, active: &DataRoot) {
        self.looked = Some(locations.look(active));
    }
}

impl Drop for Look {
    fn drop(&mut self) {
        let mut seen = self.shared.seen();
        if let Some(looked) = self.looked.take() {
            seen.last = looked;
        }
        seen.ended = self.number;
        seen.under_way = None;
        self.shared.ended.notify_all();
    }
}

impl Lookout {
    /// What the disk says of the places; where one does not answer, what was seen last and a finding.
    pub fn look(&self, locations: &Locations, active: &DataRoot) -> Looked {
        let seen = self.0.seen();
        let (mut seen, (number, begun)) = match seen.under_way {
            Some(under_way) => (seen, under_way),
            None => self.begin(seen, locations.clone(), active.clone()),
        };
        while seen.ended < number {
            let left = PATIENCE.saturating_sub(begun.elapsed());
            if left.is_zero() {
                let mut looked = seen.last.clone();
                looked.findings.push(silent(locations));
                return looked;
            }
            let waited = self.0.ended.wait_timeout(seen, left);
            seen = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        seen.last.clone()
    }

    /// On a thread of its own, which ends with its look, or with the process.
    fn begin<'a>(
        &'a self,
        mut seen: MutexGuard<'a, Seen>,
        locations: Locations,
        active: DataRoot,
    ) -> (MutexGuard<'a, Seen>, (u64, Instant)) {
        let under_way = (seen.ended + 1, Instant::now());
        seen.under_way = Some(under_way);
        drop(seen);
        let look = Look {
            shared: Arc::clone(&self.0),
            number: under_way.0,
            looked: None,
        };
        let thread = thread::Builder::new().name("locations".to_owned());
        // Without a thread it ends at once: what was seen last has to do.
        if let Err(error) = thread.spawn(move || look.run(&locations, &active)) {
            tracing::warn!(error = %error, "no thread to look at the places of the vault");
        }
        (self.0.seen(), under_way)
    }
}

fn silent(locations: &Locations) -> Finding {
    let legacy = locations.legacy.as_ref();
    let models = locations.models_named.then_some(&locations.models);
    let places = legacy.into_iter().chain(models);
    let places: Vec<_> = places.map(|path| path.display().to_string()).collect();
    let text = format!("no answer from the disk of {}", places.join(" or "));
    let finding = Finding::new(Severity::Warning, Code::LocationSilent, text);
    finding.remedy(
        "see whether the server of a network mount is gone: `umount -l` lets go of it; or name another \
         place by `legacy_dir` or `models_dir`",
    )
}
