//! The template as CloudFormation sees it, for tests: translated, and adapted to the emulator.

pub mod calls;
pub mod deploy;
pub mod elf;
pub mod emulator;
pub mod evaluation;
pub mod grants;
pub mod rules;
pub mod settings;
pub mod source;
pub mod template;
mod zip;

use std::path::{Path, PathBuf};

/// The root of the repository.
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}
