//! The places that the adapters are tested over, and what is made and removed there.

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

/// What stands in for AWS, or AWS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// The embedded services, of the test's own.
    Embedded,
    /// The services that the SDK finds by its variables, on this target.
    Services(Target),
    /// Amazon's DynamoDB Local, at this URL.
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

/// A place that is open.
pub(crate) struct Open {
    /// What the adapters are made from.
    pub(crate) clients: Clients,
    /// What is made and removed with. The embedded services need neither: they end with the test.
    pub(crate) sdk: Option<SdkConfig>,
    services: Option<Services>,
    /// Of the embedded queue, in milliseconds.
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

/// What a client of the SDK's own is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Service {
    Sqs,
    S3,
}

impl Open {
    /// What a client of the SDK's own is made from.
    pub(crate) async fn sdk_of(&self, service: Service) -> SdkConfig {
        match (&self.sdk, &self.services, service) {
            (None, Some(services), Service::Sqs) => embedded::sdk_at(services.sqs_url()).await,
            (None, Some(services), Service::S3) => embedded::sdk_at(services.s3_url()).await,
            (sdk, ..) => sdk.clone().expect("the place has the service"),
        }
    }

    /// The variables by which another program's SDK finds the services; none where it finds them as we do.
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

    /// How long to wait for a message that must come: not at all, where it is there at once or never.
    pub(crate) fn patience(&self) -> Duration {
        if self.is_embedded() {
            Duration::ZERO
        } else {
            Duration::from_secs(5)
        }
    }

    /// Whether its queue's time is the test's own.
    pub(crate) fn is_embedded(&self) -> bool {
        self.services.is_some()
    }

    /// Lets the queue's time pass: at once, where it is ours.
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

/// Runs a test, and removes what was made for it, however the test ends. Both are large, and so boxed.
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
