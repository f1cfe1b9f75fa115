//! Embedded versions of the AWS services that Cloakroom needs, in this process and on loopback.
//!
//! `cargo run` and the tests have no access to AWS. This crate serves DynamoDB, SQS and S3 over their own wire
//! protocols, so that the adapters and the official SDK clients work unchanged:
//!
//! - DynamoDB: `dynoxide` on `SQLite`;
//! - S3: `s3s` on plain files. Signatures of requests and presigned URLs are verified with [`SECRET_KEY`];
//! - SQS: our own implementation on `SQLite`, because no other one has long polls, dead letters, message groups and
//!   messages of 1 MiB with durability. Standard queues only.
//!
//! The caller creates tables, buckets and queues with the SDK.
//! Web pages of any origin may use presigned URLs, as the template's bucket allows. [`net`] is the HTTP server of S3
//! and SQS, and of the dev runner's API.
//!
//! # Durability
//!
//! The next start with a directory ([`Storage::Folder`]) finds all data, even if the process was killed: `SQLite` uses
//! a write-ahead log, and objects are renamed when they are complete. A power failure may lose the latest changes (the
//! queue commits with `synchronous = NORMAL`, and objects are not fsynced), but no older data. Only one process at a
//! time may use a directory.
//!
//! # Intentionally absent
//!
//! IAM, TLS, and addresses other than 127.0.0.1. DynamoDB and SQS accept any credentials.

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
