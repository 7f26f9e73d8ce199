//! Everybody on one processor: what a call costs, and not how well the scheduler guesses.

use crate::Result;

/// This process, and those it starts, run on one processor until it is given back.
pub(crate) struct OneProcessor {
    #[cfg(target_os = "linux")]
    before: rustix::thread::CpuSet,
}

#[cfg(target_os = "linux")]
impl OneProcessor {
    pub(crate) fn take() -> Result<Self> {
        use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

        let before = sched_getaffinity(None)?;
        let first = (0..CpuSet::MAX_CPU).find(|processor| before.is_set(*processor));
        let mut one = CpuSet::new();
        one.set(first.unwrap_or_default());
        sched_setaffinity(None, &one)?;
        Ok(Self { before })
    }

    pub(crate) fn give_back(self) -> Result<()> {
        Ok(rustix::thread::sched_setaffinity(None, &self.before)?)
    }
}

#[cfg(not(target_os = "linux"))]
impl OneProcessor {
    pub(crate) fn take() -> Result<Self> {
        Err("processors are chosen, and memory is read, on Linux only".into())
    }

    pub(crate) fn give_back(self) -> Result<()> {
        Ok(())
    }
}
