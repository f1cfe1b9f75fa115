//! The AWS services Cloakroom needs, in this process and on loopback.
//!
//! `cargo run` and the tests have no AWS at hand. This crate serves DynamoDB, SQS and S3 over their own
//! wire protocols, so that the adapters and the official SDK clients run unchanged:
//!
//! - DynamoDB by `dynoxide` over `SQLite`;
//! - S3 by `s3s` over plain files; requests and presigned URLs are checked against [`SECRET_KEY`];
//! - SQS by our own code over `SQLite`, because no other has long poll, dead letters, message groups and
//!   1 MiB messages, durably. Standard queues only.
//!
//! Tables, buckets and queues are the caller's to create, through the SDK.
//! Web pages may use presigned URLs from any origin, as the template's bucket allows it. [`net`] is the HTTP server
//! under S3 and SQS, and under the dev runner's own API.
//!
//! # What is kept
//!
//! Over a folder ([`Storage::Folder`]) everything is found again by the next start, also after the process
//! was killed: `SQLite` writes ahead, and objects are renamed into place. A power cut may lose the last
//! moments (the queue commits with `synchronous = NORMAL`, objects are not fsynced), never the whole.
//! One process at a time may use a folder.
//!
//! # What is absent on purpose
//!
//! IAM, TLS, and any address but 127.0.0.1. DynamoDB and SQS take any credentials.

mod account;
mod clock;
mod damage;
mod dynamodb;
mod error;
pub mod net;
mod ports;
mod s3;
mod services;
mod sqs;

pub use account::{ACCESS_KEY, ACCOUNT, REGION, SECRET_KEY};
pub use clock::Clock;
pub use error::StartError;
pub use services::{Services, Storage};
