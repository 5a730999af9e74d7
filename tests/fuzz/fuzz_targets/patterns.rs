//! See [`fuzz::patterns`].
#![cfg_attr(fuzzing, no_main)]

fuzz::target!(fuzz::patterns::hold);
