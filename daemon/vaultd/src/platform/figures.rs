//! What the operating system says of this process.

/// Figures of this process; `None` where nobody can tell.
#[derive(Clone, Copy, Debug, Default)]
pub struct ProcessFigures {
    /// Files and sockets that it has open.
    pub open_files: Option<u64>,
    /// Memory in use, in bytes.
    pub resident_bytes: Option<u64>,
    /// The most of it that there ever was.
    pub peak_resident_bytes: Option<u64>,
}

/// Reads them.
#[cfg(target_os = "linux")]
pub fn process_figures() -> ProcessFigures {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    ProcessFigures {
        open_files: count_open("/proc/self/fd"),
        resident_bytes: kibibytes(&status, "VmRSS:"),
        peak_resident_bytes: kibibytes(&status, "VmHWM:"),
    }
}

/// Reads them.
#[cfg(all(unix, not(target_os = "linux")))]
pub fn process_figures() -> ProcessFigures {
    ProcessFigures {
        open_files: count_open("/dev/fd"),
        ..ProcessFigures::default()
    }
}

/// Reads them.
#[cfg(not(unix))]
pub fn process_figures() -> ProcessFigures {
    ProcessFigures::default()
}

/// Entries of a folder that lists what is open, the listing itself aside.
#[cfg(unix)]
fn count_open(folder: &str) -> Option<u64> {
    let entries = std::fs::read_dir(folder).ok()?.count();
    u64::try_from(entries).ok()?.checked_sub(1)
}

/// A line of `/proc/self/status` that is a number of KiB, in bytes.
#[cfg(target_os = "linux")]
fn kibibytes(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    let number: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    number.checked_mul(1024)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_file_more_and_memory_more_are_seen() {
        let before = process_figures();
        let memory = vec![1_u8; 64 << 20];
        let files: Vec<_> = (0..100).map(|_| std::fs::File::open("/dev/null")).collect();
        let now = process_figures();
        assert!(files.iter().all(Result::is_ok));
        assert!(memory.iter().all(|byte| *byte == 1));
        // Other tests run beside this one, and open and close files of their own.
        assert!(now.open_files >= before.open_files.map(|files| files + 50));
        assert!(now.peak_resident_bytes >= Some(64 << 20));
        assert!(now.resident_bytes.is_some());
    }
}
