//! The ports in memory, a host whose time stands still until it is moved, and the suites that every implementation of
//! a port passes. For tests and simulations alone.

pub mod conformance;
mod memory;
mod meter;
mod room;
mod trouble;

use std::sync::Mutex;
use std::time::Duration;

use bytes::Bytes;
use cloakroom_core::transition::Claim;
use cloakroom_core::{
    CommandType, Digest, Fingerprint, Isolation, Job, JobId, Lease, LeaseToken, NewJob, Tenant,
    Timestamp,
};
use futures::TryStreamExt as _;
use futures::stream::BoxStream;
use tokio::time::Instant;
use uuid::Uuid;

pub use memory::Memory;
pub use meter::MemoryMeter;
pub use room::Room;
pub use trouble::{Fault, Records, another};

use crate::host::Host;
use crate::payload::Payload;
use crate::ports::{Objects, PortError, SourceAborted};

/// A host whose clock is tokio's (pause it), and whose randomness follows from a seed.
#[derive(Debug)]
pub struct TestHost {
    epoch: Timestamp,
    begun: Instant,
    state: Mutex<u64>,
}

impl TestHost {
    /// A host at 2026-11-21T08:00:00Z.
    pub fn new(seed: u64) -> Self {
        Self {
            epoch: Timestamp::from_seconds(1_795_248_000),
            begun: Instant::now(),
            state: Mutex::new(seed),
        }
    }

    fn next(&self) -> u64 {
        let mut state = self.state.lock().expect("no test panics while it draws");
        split_mix(&mut state)
    }
}

impl Host for TestHost {
    fn now(&self) -> Timestamp {
        self.epoch.after(self.begun.elapsed())
    }

    fn random(&self) -> u128 {
        (u128::from(self.next()) << 64) | u128::from(self.next())
    }
}

/// A payload that says nothing.
#[derive(Debug, serde::Deserialize, schemars::JsonSchema)]
pub struct Nothing {}

impl Payload for Nothing {}

/// A payload that may say something, and nothing else.
#[derive(Debug, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Note {
    /// What it says.
    #[serde(default)]
    pub text: String,
}

impl Payload for Note {}

/// What a store that holds its objects in memory does with pieces: it puts them as a whole.
pub async fn put_whole(
    objects: &dyn Objects,
    key: &str,
    content_type: &str,
    pieces: BoxStream<'static, Result<Bytes, SourceAborted>>,
) -> Result<bool, PortError> {
    match pieces.try_collect::<Vec<_>>().await {
        Ok(pieces) => objects
            .put(key, content_type, pieces.concat().into())
            .await
            .map(|()| true),
        Err(SourceAborted) => Ok(false),
    }
}

/// The next number of the `SplitMix64` sequence.
pub fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A job that was accepted at `now`; `n` is its id.
///
/// # Panics
/// Never: its names are good ones.
pub fn new_job(now: Timestamp, n: u128) -> Job {
    let command: CommandType = "diagnostic.run".parse().expect("a good name");
    let new = NewJob {
        tenant: Tenant::default(),
        id: JobId::from_uuid(Uuid::from_u128(n)),
        client_job_id: Some(format!("key-{n}").parse().expect("a good name")),
        fingerprint: Fingerprint::of(&command, "", "application/json", &Digest::of(b"{}"), 2),
        command,
        retention: Duration::from_secs(86_400),
        not_before: None,
    };
    Job::accept(new, now)
}

/// The claim of a worker that this message brought to a job, with a lease of five minutes.
pub fn claim_by(message_id: &str, job: &Job) -> Claim {
    let lease = Lease {
        token: LeaseToken::from_uuid(Uuid::from_u128(9)),
        message_id: message_id.to_owned(),
        ends_at: None,
        isolation: Isolation::Alone,
    };
    Claim {
        created_at: job.created_at,
        lease,
        lease_time: Duration::from_secs(300),
        max_attempts: 100,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::{PartTerms, Queue, UploadLink};
    use crate::work::Delivery;

    #[async_trait::async_trait]
    impl conformance::WholeQueue for Memory {
        fn port(&self) -> &dyn Queue {
            self
        }

        async fn receive(&self, _expected: bool) -> Vec<Delivery> {
            std::iter::from_fn(|| self.receive(Duration::from_secs(60))).collect()
        }

        async fn delete(&self, delivery: &Delivery) {
            self.delete(delivery);
        }

        async fn pass(&self, time: Duration) {
            tokio::time::advance(time).await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_ports_in_memory_conform() {
        let memory = Memory::default();
        conformance::job_store(&memory, TestHost::new(1).now()).await;
        conformance::objects(&memory).await;
        let put = async |link: UploadLink, part: PartTerms, bytes: Bytes| {
            let (_, key) = link.url.split_once("example/").expect("a link");
            let (key, _) = key.split_once('?').expect("a part");
            memory.put_part(key, part.number, bytes)
        };
        conformance::parts(&memory, put).await;
        conformance::dead_letters(&memory).await;
        conformance::queue(&memory).await;
    }
}
