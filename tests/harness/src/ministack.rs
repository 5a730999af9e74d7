//! The emulator: one process per test binary, on a free loopback port.
//!
//! A shell stands between the test and the emulator. It holds the read end of a pipe whose only write
//! end is in the test process; when that process ends, however it ends, the pipe closes, and the shell
//! kills the emulator and removes its folder.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

/// Names the program to run in place of the one in the workspace.
const PROGRAM_VARIABLE: &str = "TRAILWARDEN_MINISTACK";
/// A start takes about a second; a loaded machine may take many times that.
const START_TIMEOUT: Duration = Duration::from_secs(60);
/// A port that was free may be taken before the emulator binds it.
const ATTEMPTS: usize = 5;

/// Arguments: the program, the folder. The folder stays if the emulator ends by itself: its log says why.
const WATCHDOG: &str = r#"
exec 3<&0
"$1" </dev/null >"$2/ministack.log" 2>&1 &
emulator=$!
( read -r _ <&3; trap '' TERM; kill -9 "$emulator"; rm -rf "$2" ) 2>/dev/null &
watcher=$!
wait "$emulator"
kill "$watcher" 2>/dev/null
"#;

/// A running emulator.
#[derive(Debug)]
pub struct MiniStack {
    address: SocketAddr,
    program: PathBuf,
    folder: PathBuf,
    /// Holds the write end of the watchdog's pipe.
    _watchdog: Child,
}

impl MiniStack {
    /// The emulator of this test binary, started on first use.
    ///
    /// Blocks until it is ready.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<MiniStack> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its URL, without a final slash: a function's `AWS_ENDPOINT_URL` where no proxy is wanted.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The Python interpreter installed with it, for small stand-ins for a function.
    pub fn python(&self) -> PathBuf {
        self.program.with_file_name("python3")
    }

    /// What it said so far: warnings and errors.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.join("ministack.log")).unwrap_or_default()
    }

    fn start() -> Self {
        let program = program();
        assert!(
            program.is_file(),
            "expected MiniStack at `{}`, bash tests/run.sh installs it",
            program.display()
        );
        let mut log = String::new();
        for _ in 0..ATTEMPTS {
            match Self::try_start(&program) {
                Ok(started) => return started,
                Err(said) => log = said,
            }
        }
        panic!("expected MiniStack to start within {ATTEMPTS} attempts; it said:\n{log}");
    }

    /// Starts on a free port; an error is what the emulator said before it ended.
    fn try_start(program: &Path) -> Result<Self, String> {
        let address = free_address();
        let folder = tempfile::Builder::new()
            .prefix("trailwarden-ministack-")
            .tempdir()
            .unwrap_or_else(|error| panic!("expected a temporary folder: {error}"))
            .keep();
        let mut watchdog = watchdog(program, &folder, address);
        // The file is the emulator's own word that it, and no other process, holds the port.
        let claim = folder.join(format!("ministack-{}.pid", address.port()));
        let started = Instant::now();
        while started.elapsed() < START_TIMEOUT && matches!(watchdog.try_wait(), Ok(None)) {
            if claim.exists() && is_ready(address) {
                return Ok(Self {
                    address,
                    program: program.to_path_buf(),
                    folder,
                    _watchdog: watchdog,
                });
            }
            thread::sleep(Duration::from_millis(20));
        }
        let said = fs::read_to_string(folder.join("ministack.log")).unwrap_or_default();
        drop(watchdog.stdin.take());
        let _ = watchdog.wait();
        let _ = fs::remove_dir_all(&folder);
        Err(said)
    }
}

fn program() -> PathBuf {
    env::var_os(PROGRAM_VARIABLE).map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.venv/bin/ministack"),
        PathBuf::from,
    )
}

fn free_address() -> SocketAddr {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|listener| listener.local_addr())
        .unwrap_or_else(|error| panic!("expected a free port on loopback: {error}"))
}

fn watchdog(program: &Path, folder: &Path, address: SocketAddr) -> Child {
    let arguments: [OsString; 5] = [
        "-c".into(),
        WATCHDOG.into(),
        "watchdog".into(),
        program.into(),
        folder.into(),
    ];
    Command::new("/bin/sh")
        .args(arguments)
        .current_dir(folder)
        .env_clear()
        .env(
            "PATH",
            env::var_os("PATH").unwrap_or_else(|| "/usr/bin:/bin".into()),
        )
        .envs([("HOME", folder), ("TMPDIR", folder)])
        .env("S3_DATA_DIR", folder.join("s3"))
        .env("STATE_DIR", folder.join("state"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .envs([("BIND_HOST", "127.0.0.1"), ("MINISTACK_HOST", "127.0.0.1")])
        .env("GATEWAY_PORT", address.port().to_string())
        .env("LOG_LEVEL", "WARNING")
        // An interrupt from the keyboard must reach the test only, or nobody is left to clean up.
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap_or_else(|error| panic!("expected to start `/bin/sh`: {error}"))
}

/// Whether the emulator answers that it is ready.
fn is_ready(address: SocketAddr) -> bool {
    let ask = || -> std::io::Result<bool> {
        let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(1))?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        write!(
            stream,
            "GET /_ministack/ready HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
        )?;
        let mut status = [0; 12];
        stream.read_exact(&mut status)?;
        Ok(&status == b"HTTP/1.1 200")
    };
    ask().unwrap_or(false)
}
