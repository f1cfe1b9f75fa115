//! The README and the pages of docs/, whose Rust blocks are compiled and run as examples of this crate.

#[doc = include_str!("../../../README.md")]
mod readme {}

#[doc = include_str!("../../../docs/getting-started.md")]
mod getting_started {}

#[doc = include_str!("../../../docs/writing-commands.md")]
mod writing_commands {}

#[doc = include_str!("../../../docs/testing.md")]
mod testing {}

#[doc = include_str!("../../../docs/http.md")]
mod http {}

#[doc = include_str!("../../../docs/events.md")]
mod events {}

#[doc = include_str!("../../../docs/uploads.md")]
mod uploads {}

#[doc = include_str!("../../../docs/producers.md")]
mod producers {}

#[doc = include_str!("../../../docs/guarantees.md")]
mod guarantees {}

#[doc = include_str!("../../../docs/deploying.md")]
mod deploying {}

#[doc = include_str!("../../../docs/operating.md")]
mod operating {}

#[doc = include_str!("../../../docs/security.md")]
mod security {}

#[doc = include_str!("../../../docs/cost.md")]
mod cost {}

#[doc = include_str!("../../../docs/configuration.md")]
mod configuration {}

#[doc = include_str!("../../../docs/upgrading.md")]
mod upgrading {}
