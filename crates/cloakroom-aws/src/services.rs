//! Embedded services for the tests of this crate: real clients with real wire protocols.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::thread;
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

/// Head, length and body of a response.
pub(crate) type Response = (&'static str, usize, &'static [u8]);

/// Returns clients of a service that sends these responses, each on a connection of its own.
pub(crate) fn clients_of_responses<const N: usize>(responses: [Response; N]) -> Clients {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it has one");
    thread::spawn(move || {
        for (head, length, body) in responses {
            let (mut stream, _) = listener.accept().expect("a connection");
            _ = stream.read(&mut [0; 8192]).expect("a request");
            let head = format!("HTTP/1.1 {head}\r\nContent-Length: {length}\r\n\r\n");
            let response = [head.as_bytes(), body].concat();
            stream.write_all(&response).expect("it is read");
        }
    });
    clients_of(&format!("http://{address}"))
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
