//! libFuzzer program of the target `messages`: see [`cloakroom_fuzz::messages`].
#![cfg_attr(fuzzing, no_main)]
cloakroom_fuzz::target!(messages);
