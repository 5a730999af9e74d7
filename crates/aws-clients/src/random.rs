//! A random number now and then: to tell log streams apart, and to spread retries.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};

/// A random number, seeded by the operating system. Not for secrets.
pub(crate) fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}

/// A name that no other process has: 16 hex digits.
pub fn unique_name() -> String {
    format!("{:016x}", random())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_differ_from_each_other() {
        assert_ne!(random(), random());
    }
}
