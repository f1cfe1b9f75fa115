//! libFuzzer program of the target `images`: see [`cloakroom_fuzz::images`].
#![cfg_attr(fuzzing, no_main)]
cloakroom_fuzz::target!(images);
