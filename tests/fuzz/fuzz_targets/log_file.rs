//! See [`fuzz::log_file`].
#![cfg_attr(fuzzing, no_main)]

fuzz::target!(fuzz::log_file::hold);
