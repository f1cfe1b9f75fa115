//! Implementations of the ports in memory, a host with a controlled clock, and the conformance suites that every
//! implementation of a port passes. Only for tests and simulations.

pub mod conformance;
mod host;
mod jobs;
mod listening;
mod memory;
mod meter;
mod payloads;
mod pieces;
mod room;
mod trouble;

pub use host::{TestHost, split_mix};
pub use jobs::{claim_by, new_job, tenant};
pub use listening::Listening;
pub use memory::{Memory, Posted};
pub use meter::MemoryMeter;
pub use payloads::{Note, Nothing, nothing};
pub use pieces::put_whole;
pub use room::Room;
pub use trouble::{Fault, Records, another};

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::Bytes;

    use super::*;
    use crate::delivery::Delivery;
    use crate::host::Host as _;
    use crate::ports::{PartTerms, Queue, UploadLink};

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
        conformance::deliveries(&memory, TestHost::new(1).now()).await;
        conformance::queue(&memory).await;
    }
}
