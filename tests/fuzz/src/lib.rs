//! What the quick ways answer, held against what the exact ones answer.
//!
//! Each module is one target: its `hold` takes any bytes and panics where the two ways differ. `cargo fuzz` looks for such
//! bytes; `cargo test` holds the inputs that are kept in `corpus`, and a target built without `cargo fuzz` holds the
//! files it is given.

pub mod blocks;
mod case;
pub mod evaluate;
pub mod index;
pub mod log_file;
pub mod patterns;

/// The body of a fuzz target.
#[macro_export]
macro_rules! target {
    ($hold:path) => {
        #[cfg(fuzzing)]
        libfuzzer_sys::fuzz_target!(|data: &[u8]| $hold(data));

        #[cfg(not(fuzzing))]
        fn main() -> std::io::Result<()> {
            for path in std::env::args_os().skip(1) {
                $hold(&std::fs::read(path)?);
            }
            Ok(())
        }
    };
}
