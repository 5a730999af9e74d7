//! See [`fuzz::evaluate`].
#![cfg_attr(fuzzing, no_main)]

fuzz::target!(fuzz::evaluate::hold);
