//! Posts webhooks to URLs that untrusted clients choose.
//!
//! [`check_url`] rejects unsuitable URLs when a client submits them. [`Webhooks::post`] sends one request, and returns the HTTP
//! status:
//!
//! ```no_run
//! # async fn example() -> Result<(), cloakroom_webhooks::PostError> {
//! use cloakroom_webhooks::{Reach, Webhooks};
//!
//! let webhooks = Webhooks::new(Reach::Public);
//! let headers = [("content-type", "application/json"), ("webhook-id", "evt_1")];
//! let status = webhooks.post("https://hooks.example.com/jobs", &headers, "{}".into()).await?;
//! println!("{status}");
//! # Ok(())
//! # }
//! ```
//!
//! A client that chooses a URL must not reach what only this machine can reach, such as the network's private hosts or the
//! metadata service. Therefore:
//!
//! - With [`Reach::Public`], each address of the host must be public. Names are resolved once in a call, and the connection uses
//!   the addresses that were checked. A DNS server that changes its answer gains nothing.
//! - Redirects are not followed. Proxies that the environment names are not used, because a proxy resolves names itself.
//! - The response's body is not read, and connections are not reused.
//! - The time limit covers all of a call: name resolution, connection, TLS and the response's head.
//!
//! One gap remains: a public address that routes to a private network is allowed, because nothing in the address shows it.

mod address;
mod callback_url;
mod error;
mod reach;
mod resolver;
mod sender;
mod webhooks;

pub use address::is_public;
pub use callback_url::{InvalidCallbackUrl, MAX_URL_BYTES, check_url};
pub use error::PostError;
pub use reach::Reach;
pub use webhooks::{TIME_LIMIT, Webhooks};
