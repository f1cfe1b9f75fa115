//! What `cloakroom cost` reckons with: what messages and records weigh; and the document that tells of it.
//! That the calls are those that are made is held by the program's own tests.

mod document;
mod sizes;
