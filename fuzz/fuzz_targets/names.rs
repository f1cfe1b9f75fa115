//! libFuzzer program of the target `names`: see [`cloakroom_fuzz::names`].
#![cfg_attr(fuzzing, no_main)]
cloakroom_fuzz::target!(names);
