//! libFuzzer program of the target `events`: see [`cloakroom_fuzz::events`].
#![cfg_attr(fuzzing, no_main)]
cloakroom_fuzz::target!(events);
