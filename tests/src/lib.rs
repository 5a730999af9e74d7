//! Vectors and differential tests across the crates. The tests are in `tests/`, the vectors in
//! `vectors/`; this library is empty.
