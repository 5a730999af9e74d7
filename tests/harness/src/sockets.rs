//! Which process made a connection, and how much memory a process takes: from `/proc`.
//!
//! Source: proc(5), "/proc/net/tcp", "/proc/pid/fd" and "/proc/pid/status".

use std::fs;
use std::net::{IpAddr, SocketAddr};

/// Whether the process holds the socket that is connected from `local`.
pub(crate) fn holds_socket(pid: u32, local: SocketAddr) -> bool {
    let Some(inode) = inode_of(local) else {
        return false;
    };
    let link = format!("socket:[{inode}]");
    let Ok(descriptors) = fs::read_dir(format!("/proc/{pid}/fd")) else {
        return false;
    };
    descriptors
        .flatten()
        .any(|entry| fs::read_link(entry.path()).is_ok_and(|target| target.as_os_str() == &*link))
}

/// The inode of the socket bound to this IPv4 address; columns are counted from 0.
fn inode_of(local: SocketAddr) -> Option<String> {
    const LOCAL_ADDRESS: usize = 1;
    const INODE: usize = 9;
    let IpAddr::V4(ip) = local.ip() else {
        return None;
    };
    let local = format!(
        "{:08X}:{:04X}",
        u32::from_ne_bytes(ip.octets()),
        local.port()
    );
    let table = fs::read_to_string("/proc/net/tcp").ok()?;
    let row = table
        .lines()
        .find(|row| row.split_whitespace().nth(LOCAL_ADDRESS) == Some(&local))?;
    row.split_whitespace().nth(INODE).map(str::to_owned)
}

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
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn a_connection_is_traced_to_the_process_that_made_it() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let local = client.local_addr().unwrap();
        assert!(holds_socket(std::process::id(), local));
        assert!(!holds_socket(1, local));
        drop(client);
        assert!(!holds_socket(std::process::id(), local));
    }

    #[test]
    fn resident_memory_of_this_process_is_known() {
        let Resident { now_kb, peak_kb } = resident(std::process::id());
        assert!(now_kb > 0 && peak_kb >= now_kb, "{now_kb} {peak_kb}");
        assert_eq!(resident(u32::MAX), Resident::default());
    }
}
