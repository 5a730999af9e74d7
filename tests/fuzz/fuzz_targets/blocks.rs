//! See [`fuzz::blocks`].
#![cfg_attr(fuzzing, no_main)]

fuzz::target!(fuzz::blocks::hold);
