//! Places on which the adapters are tested, and the resources that tests create and remove there.

use std::fmt;
use std::panic::{AssertUnwindSafe, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use aws_config::{BehaviorVersion, SdkConfig};
use cloakroom_aws::Clients;
use cloakroom_embedded::{Services, Storage};
use cloakroom_tests::Target;
use futures::FutureExt as _;
use tokio::time::sleep;

use crate::embedded;

/// An emulator of AWS, or AWS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// Embedded services, exclusive to the test.
    Embedded,
    /// Services that the SDK finds by its variables, on this target.
    Services(Target),
    /// Amazon's DynamoDB Local at this URL.
    DynamoDbLocal(String),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Embedded => f.write_str("embedded"),
            Self::Services(target) => target.fmt(f),
            Self::DynamoDbLocal(_) => f.write_str("dynamodb_local"),
        }
    }
}

/// A place that is ready for a test.
pub(crate) struct Open {
    /// Clients for the adapters.
    pub(crate) clients: Clients,
    /// Configuration for creating and removing resources. The embedded services don't need it: they end with the test.
    pub(crate) sdk: Option<SdkConfig>,
    services: Option<Services>,
    /// Clock of the embedded queue, in milliseconds.
    clock: Arc<AtomicI64>,
}

impl Place {
    pub(crate) async fn open(&self) -> Open {
        let clock = Arc::new(AtomicI64::new(1_795_248_000_000));
        let (clients, sdk, services) = match self {
            Self::Embedded => {
                let time = clock.clone();
                let time = Arc::new(move || time.load(Ordering::SeqCst));
                let services = Services::start_with_clock(Storage::Memory, time)
                    .await
                    .expect("start the services");
                (embedded::clients(&services), None, Some(services))
            }
            Self::Services(_) => {
                let sdk = aws_config::load_defaults(BehaviorVersion::latest()).await;
                (Clients::load().await, Some(sdk), None)
            }
            Self::DynamoDbLocal(url) => (
                embedded::clients_at([url, "", ""]),
                Some(embedded::sdk_at(url).await),
                None,
            ),
        };
        Open {
            clients,
            sdk,
            services,
            clock,
        }
    }
}

/// Service for which a client of the SDK itself is created.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Service {
    Sqs,
    S3,
}

impl Open {
    /// Returns the configuration for a client of the SDK itself.
    pub(crate) async fn sdk_of(&self, service: Service) -> SdkConfig {
        match (&self.sdk, &self.services, service) {
            (None, Some(services), Service::Sqs) => embedded::sdk_at(services.sqs_url()).await,
            (None, Some(services), Service::S3) => embedded::sdk_at(services.s3_url()).await,
            (sdk, ..) => sdk.clone().expect("the place has the service"),
        }
    }

    /// Returns the variables with which another program's SDK finds the services. Empty if it finds them like our own.
    pub(crate) fn variables(&self) -> Vec<(&'static str, String)> {
        let Some(services) = &self.services else {
            return vec![];
        };
        let all = [
            ("AWS_ENDPOINT_URL_SQS", services.sqs_url()),
            ("AWS_ENDPOINT_URL_S3", services.s3_url()),
            ("AWS_REGION", Services::REGION),
            ("AWS_DEFAULT_REGION", Services::REGION),
            ("AWS_ACCESS_KEY_ID", Services::ACCESS_KEY),
            ("AWS_SECRET_ACCESS_KEY", Services::SECRET_KEY),
        ];
        all.map(|(name, value)| (name, value.to_owned())).to_vec()
    }

    /// Returns the time to wait for an expected message. Zero if messages are available immediately or never.
    pub(crate) fn patience(&self) -> Duration {
        if self.is_embedded() {
            Duration::ZERO
        } else {
            Duration::from_secs(5)
        }
    }

    /// Returns true if the test controls the time of the queue.
    pub(crate) fn is_embedded(&self) -> bool {
        self.services.is_some()
    }

    /// Lets time pass for the queue. Returns at once if the test controls it.
    pub(crate) async fn pass(&self, time: Duration) {
        if self.is_embedded() {
            self.clock.fetch_add(
                i64::try_from(time.as_millis()).expect("not so long"),
                Ordering::SeqCst,
            );
        } else {
            sleep(time).await;
        }
    }
}

/// Runs a test, and removes its resources, even if it panics. Both futures are boxed because of their size.
pub(crate) async fn cleaned_up(
    test: impl Future<Output = ()> + Unpin,
    removal: impl Future<Output = ()> + Unpin,
) {
    let end = AssertUnwindSafe(test).catch_unwind().await;
    removal.await;
    if let Err(panic) = end {
        resume_unwind(panic);
    }
}
