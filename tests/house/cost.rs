//! What `cloakroom cost` reckons with: the calls that are made, what they weigh, and the document that tells of it.

mod calls;
mod document;
mod sizes;

use std::time::Duration;

use cloakroom::cost::{Api, Architecture, Encoding, Workload};
use cloakroom_app::command::BODY_LIMIT;
use cloakroom_app::submit::INLINE_LIMIT;

/// One job that is polled once.
fn workload() -> Workload {
    Workload {
        jobs: 1e6,
        payload: 100,
        encoding: Encoding::Base64,
        result: 100,
        polls: 1.0,
        wait: Duration::ZERO,
        attempts: 1.0,
        duration: Duration::from_secs(1),
        progress: 0,
        batch: 1.0,
        api: Api::Rest,
        architecture: Architecture::Arm64,
        worker_memory: 1024,
        http_memory: 256,
        http_duration: Duration::from_millis(20),
        lease: Duration::from_secs(30),
        log: 1024,
        inline_limit: INLINE_LIMIT as u64,
        body_limit: BODY_LIMIT,
    }
}
