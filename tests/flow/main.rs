//! Whole flows through HTTP, against whatever deployment there is.

mod cancel;
mod find;
mod handlers;
mod once;
mod photos;
mod poll;
mod refuse;
