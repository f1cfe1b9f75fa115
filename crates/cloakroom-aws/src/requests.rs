//! Exact requests of each port call. Emulators tolerate requests that AWS rejects, so each request is compared with its
//! expected text.

#[cfg(feature = "listeners")]
mod bus;
mod clients;
mod deliveries;
mod objects;
mod queue;
mod replies;
pub(crate) mod script;
#[cfg(feature = "listeners")]
mod secret;
mod table;
mod wire;
