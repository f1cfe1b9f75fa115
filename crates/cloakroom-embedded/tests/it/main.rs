//! Tests of the services with the real SDK clients over HTTP.

mod dynamodb;
mod harness;
mod net;
mod restart;
mod s3;
mod s3_presigned;
mod sqs_batches;
mod sqs_messages;
mod sqs_queues;
mod sqs_redrive;
