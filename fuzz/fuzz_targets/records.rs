//! libFuzzer program of the target `records`: see [`cloakroom_fuzz::records`].
#![cfg_attr(fuzzing, no_main)]
cloakroom_fuzz::target!(records);
