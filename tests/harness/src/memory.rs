//! How much memory a process takes.
//!
//! Source: proc(5), "/proc/pid/status".

use std::fs;

/// Resident memory of a process, in KiB.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Resident {
    pub(crate) now_kb: u64,
    pub(crate) peak_kb: u64,
}

/// What the process takes; zero for one that has ended.
pub(crate) fn resident(pid: u32) -> Resident {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let kilobytes = |name: &str| {
        let value = status
            .lines()
            .find_map(|line| line.strip_prefix(name))
            .unwrap_or_default();
        value
            .trim()
            .trim_end_matches(" kB")
            .parse()
            .unwrap_or_default()
    };
    Resident {
        now_kb: kilobytes("VmRSS:"),
        peak_kb: kilobytes("VmHWM:"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resident_memory_of_this_process_is_known() {
        let Resident { now_kb, peak_kb } = resident(std::process::id());
        assert!(now_kb > 0 && peak_kb >= now_kb, "{now_kb} {peak_kb}");
        assert_eq!(resident(u32::MAX), Resident::default());
    }
}
