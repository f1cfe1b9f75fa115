//! Exact requests of each port call. Emulators tolerate requests that AWS rejects, so each request is compared with its
//! expected text.

mod clients;
mod objects;
mod queue;
mod script;
mod table;
