//! The binaries of the functions, built as the running test is.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// Names a folder with binaries to use instead, such as release builds.
const FOLDER_VARIABLE: &str = "TRAILWARDEN_FUNCTIONS";

/// Where the binaries are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binaries {
    /// `log-processor`.
    pub log_processor: PathBuf,
    /// `alarm-notifier`.
    pub alarm_notifier: PathBuf,
    /// `digest-validator`.
    pub digest_validator: PathBuf,
}

/// Builds the functions, once per test binary, with the profile and target folder of the running test.
///
/// With `TRAILWARDEN_FUNCTIONS` set nothing is built: that folder holds them, as `log-processor` or, as
/// packaged, as `log-processor/bootstrap`.
///
/// # Panics
///
/// They do not build, or are not in that folder.
pub fn binaries() -> &'static Binaries {
    static BINARIES: OnceLock<Binaries> = OnceLock::new();
    BINARIES.get_or_init(|| {
        let folder = env::var_os(FOLDER_VARIABLE).map_or_else(build, PathBuf::from);
        Binaries {
            log_processor: find(&folder, "log-processor"),
            alarm_notifier: find(&folder, "alarm-notifier"),
            digest_validator: find(&folder, "digest-validator"),
        }
    })
}

fn find(folder: &Path, name: &str) -> PathBuf {
    let packaged = folder.join(name).join("bootstrap");
    let built = folder.join(name);
    let found = [packaged, built].into_iter().find(|path| path.is_file());
    let found = found.unwrap_or_else(|| {
        panic!(
            "expected `{name}` or `{name}/bootstrap` in `{}`",
            folder.display()
        )
    });
    // Processes run in another folder.
    found.canonicalize().unwrap_or(found)
}

/// Builds and returns the folder the binaries are in.
fn build() -> PathBuf {
    let place = env::current_exe()
        .unwrap_or_else(|error| panic!("expected to know the running test: {error}"));
    let (target, profile) = target_and_profile(&place).unwrap_or_else(|| {
        panic!(
            "expected to run as <target>/<profile>/deps/<test>, got `{}`",
            place.display()
        )
    });
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../Cargo.toml");
    let output = Command::new(env!("CARGO"))
        .args([
            "build",
            "--quiet",
            "--locked",
            // With fewer packages the AWS SDK would be built again, with fewer features.
            "--workspace",
            "--bins",
            "--profile",
        ])
        .arg(if profile == "debug" { "dev" } else { profile })
        .arg("--manifest-path")
        .arg(manifest)
        .arg("--target-dir")
        .arg(target)
        .output()
        .unwrap_or_else(|error| panic!("expected to run `{}`: {error}", env!("CARGO")));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "expected the functions to build:\n{said}"
    );
    target.join(profile)
}

/// `<target>` and `<profile>` of `<target>/<profile>/deps/<test>`.
fn target_and_profile(test: &Path) -> Option<(&Path, &str)> {
    let folder = test.parent()?.parent()?;
    Some((folder.parent()?, folder.file_name()?.to_str()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_of_a_test_tells_target_folder_and_profile() {
        let place = target_and_profile(Path::new("/t/release/deps/scenarios-0123"));
        assert_eq!(place, Some((Path::new("/t"), "release")));
    }
}
