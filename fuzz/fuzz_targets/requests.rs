//! libFuzzer program of the target `requests`: see [`cloakroom_fuzz::requests`].
#![cfg_attr(fuzzing, no_main)]
cloakroom_fuzz::target!(requests);
