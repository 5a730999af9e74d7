//! The filters that come with Trailwarden.

use crate::fault::Faults;
use crate::file::FiltersFile;

/// The text of the built-in filters file.
pub const BUILT_IN: &str = include_str!("built_in.yaml");

/// The profile that is used where none is named.
pub const DEFAULT_PROFILE: &str = "recommended";

/// The built-in filters: the 14 of the CloudTrail user guide and the 15 of the CIS AWS Foundations
/// Benchmark, one for each distinct pattern, in the profiles `recommended`, `cis` and `user-guide`.
///
/// # Errors
/// None in a released version: a test loads the file.
pub fn built_in() -> Result<FiltersFile, Faults> {
    FiltersFile::parse(BUILT_IN)
}
