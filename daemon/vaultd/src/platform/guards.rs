//! What this process sees of itself: what keeps others out, and what it cannot do any more.

/// What guards the process; `None` where the system does not say.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Guards {
    /// A debugger of the same user can attach, and the process leaves a core dump.
    pub dumpable: Option<bool>,
    /// How many bytes a core dump may have.
    pub core_limit: Option<u64>,
    /// No program it starts gains rights.
    pub no_new_privileges: Option<bool>,
    /// System calls are filtered.
    pub seccomp: Option<bool>,
}

/// Asks the system, now.
#[cfg(target_os = "linux")]
pub fn guards() -> Guards {
    use rustix::process::{DumpableBehavior, Resource, dumpable_behavior, getrlimit};

    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let dumpable = dumpable_behavior().ok();
    Guards {
        dumpable: dumpable.map(|behavior| behavior != DumpableBehavior::NotDumpable),
        core_limit: Some(getrlimit(Resource::Core).maximum.unwrap_or(u64::MAX)),
        no_new_privileges: number(&status, "NoNewPrivs").map(|number| number == 1),
        // 1 is strict, 2 a filter.
        seccomp: number(&status, "Seccomp").map(|number| number > 0),
    }
}

/// Asks the system, now.
#[cfg(all(unix, not(target_os = "linux")))]
pub fn guards() -> Guards {
    use rustix::process::{Resource, getrlimit};

    Guards {
        core_limit: Some(getrlimit(Resource::Core).maximum.unwrap_or(u64::MAX)),
        ..Guards::default()
    }
}

/// Asks the system, now.
#[cfg(not(unix))]
pub fn guards() -> Guards {
    Guards::default()
}

/// A line of `/proc/self/status` that is a number.
#[cfg(target_os = "linux")]
fn number(status: &str, name: &str) -> Option<u64> {
    let mut lines = status.lines();
    let value = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    value.trim().parse().ok()
}
