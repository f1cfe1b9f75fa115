//! Embedded services for the tests of this crate: real clients with real wire protocols.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use cloakroom_embedded::{Services, Storage};

use crate::clients::{Clients, Local};
use crate::testing::CallCounter;

/// Clients and services of a test. The services end with it.
pub(crate) struct Fixture {
    pub(crate) clients: Clients,
    pub(crate) calls: CallCounter,
    services: Services,
    queue_time: Arc<AtomicI64>,
}

/// Returns clients whose services all have this URL.
pub(crate) fn clients_of(url: &str) -> Clients {
    Clients::local(&Local {
        dynamodb_url: url,
        sqs_url: url,
        s3_url: url,
        region: "us-east-1",
        access_key: "test",
        secret_key: "test",
    })
}

impl Fixture {
    pub(crate) async fn start() -> Self {
        let queue_time = Arc::new(AtomicI64::new(1_795_248_000_000));
        let time = queue_time.clone();
        let clock = Arc::new(move || time.load(Ordering::SeqCst));
        let services = Services::start_with_clock(Storage::Memory, clock)
            .await
            .expect("start the embedded services");
        let calls = CallCounter::default();
        let clients = Clients::local(&Local {
            dynamodb_url: services.dynamodb_url(),
            sqs_url: services.sqs_url(),
            s3_url: services.s3_url(),
            region: Services::REGION,
            access_key: Services::ACCESS_KEY,
            secret_key: Services::SECRET_KEY,
        });
        Self {
            clients: clients.with_call_counter(&calls),
            calls,
            services,
            queue_time,
        }
    }

    /// Advances the queue's clock.
    pub(crate) fn advance_clock(&self, by: Duration) {
        self.queue_time.fetch_add(
            i64::try_from(by.as_millis()).expect("not so late"),
            Ordering::SeqCst,
        );
    }

    pub(crate) fn queue_url(&self, name: &str) -> String {
        self.services.queue_url(name)
    }

    pub(crate) fn s3_url(&self) -> &str {
        self.services.s3_url()
    }
}
