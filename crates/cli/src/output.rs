//! Standard output and standard error.

use std::io::{self, Write as _};

use anyhow::Context as _;

/// Writes findings to standard output, with colours only where a terminal wants them. A reader that
/// has gone away (`| head`) is no error: it has seen what it wanted, and the exit status stays.
pub(crate) fn write(text: &str) -> anyhow::Result<()> {
    let mut stdout = anstream::AutoStream::auto(io::stdout().lock());
    match stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush())
    {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result.context("cannot write to standard output"),
    }
}

/// Writes to standard error; if that fails there is nobody left to tell.
pub(crate) fn note(text: &str) {
    let mut stderr = anstream::AutoStream::auto(io::stderr().lock());
    let _ = writeln!(stderr, "{text}");
}

/// A character that would break the line or move the terminal becomes U+FFFD.
pub(crate) fn printable(text: &str) -> String {
    cloudtrail::printable(text, usize::MAX)
}
