#![doc = include_str!("../README.md")]

pub mod attributes;
pub mod batch;
#[cfg(feature = "client")]
pub mod client;
pub mod pointer;
pub mod receipt;
pub mod size;

pub use attributes::SizeAttribute;
pub use batch::{BatchTooLarge, EntrySize};
#[cfg(feature = "client")]
pub use client::{Error, ExtendedClient, Received, Settings};
pub use pointer::{InvalidPointer, Pointer, PointerClass};
pub use receipt::{embed, split};
pub use size::{Attribute, message_size};
