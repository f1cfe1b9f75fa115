//! Checks of the inputs of `cloakroom cost`: the sizes of messages and records, and its documentation. The program's
//! own tests check the counts of calls.

mod document;
mod sizes;
