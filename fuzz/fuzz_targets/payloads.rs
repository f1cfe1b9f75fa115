//! libFuzzer program of the target `payloads`: see [`cloakroom_fuzz::payloads`].
#![cfg_attr(fuzzing, no_main)]
cloakroom_fuzz::target!(payloads);
