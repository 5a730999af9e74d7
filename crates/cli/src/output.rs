//! Standard output and standard error.

use std::io::{self, Write as _};

/// Writes findings to standard output, with colours only where a terminal wants them.
pub(crate) fn write(text: &str) -> anyhow::Result<()> {
    let mut stdout = anstream::AutoStream::auto(io::stdout().lock());
    stdout.write_all(text.as_bytes())?;
    stdout.flush()?;
    Ok(())
}

/// Writes to standard error; if that fails there is nobody left to tell.
pub(crate) fn note(text: &str) {
    let mut stderr = anstream::AutoStream::auto(io::stderr().lock());
    let _ = writeln!(stderr, "{text}");
}

/// Did the reader of our output go away (`| head`)?
pub(crate) fn is_closed_pipe(error: &anyhow::Error) -> bool {
    let closed = |error: &io::Error| error.kind() == io::ErrorKind::BrokenPipe;
    error
        .chain()
        .any(|cause| cause.downcast_ref().is_some_and(closed))
}

/// A character that would break the line or the terminal becomes U+FFFD.
pub(crate) fn printable(text: &str) -> std::borrow::Cow<'_, str> {
    let harmful = |character: char| {
        character.is_control()
            || matches!(character, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}')
    };
    match text.contains(harmful) {
        true => text.replace(harmful, "\u{fffd}").into(),
        false => text.into(),
    }
}
