//! Vectors, differential tests and recorded answers, across the crates.
