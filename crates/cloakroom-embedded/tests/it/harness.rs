//! Running services, clients for them, and a clock of the queue that tests control.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use aws_config::{BehaviorVersion, Region, SdkConfig};
use cloakroom_embedded::{Services, Storage};

/// Time of the queue.
#[derive(Clone)]
pub(crate) struct Time(Arc<AtomicI64>);

impl Time {
    pub(crate) fn pass_s(&self, seconds: i64) {
        self.0.fetch_add(seconds * 1000, Ordering::SeqCst);
    }
}

pub(crate) struct Running {
    pub(crate) services: Services,
    pub(crate) time: Time,
}

pub(crate) async fn in_memory() -> Running {
    start(Storage::Memory).await
}

pub(crate) async fn in_folder(folder: &Path) -> Running {
    start(Storage::Folder(folder)).await
}

async fn start(storage: Storage<'_>) -> Running {
    let time = Time(Arc::new(AtomicI64::new(1_800_000_000_000)));
    let clock = Arc::clone(&time.0);
    let services =
        Services::start_with_clock(storage, Arc::new(move || clock.load(Ordering::SeqCst)))
            .await
            .expect("the services start");
    Running { services, time }
}

impl Running {
    pub(crate) fn sqs(&self) -> aws_sdk_sqs::Client {
        aws_sdk_sqs::Client::new(&config(self.services.sqs_url()))
    }

    pub(crate) fn dynamodb(&self) -> aws_sdk_dynamodb::Client {
        aws_sdk_dynamodb::Client::new(&config(self.services.dynamodb_url()))
    }

    pub(crate) fn s3(&self) -> aws_sdk_s3::Client {
        let config = aws_sdk_s3::config::Builder::from(&config(self.services.s3_url()))
            .force_path_style(true)
            .build();
        aws_sdk_s3::Client::from_conf(config)
    }

    /// Creates a queue with these attributes. Returns its URL.
    pub(crate) async fn queue(&self, name: &str, attributes: &[(&str, &str)]) -> String {
        let mut request = self.sqs().create_queue().queue_name(name);
        for (attribute, value) in attributes {
            request = request.attributes((*attribute).into(), *value);
        }
        let made = request.send().await.expect("the queue is made");
        made.queue_url.expect("it has a URL")
    }
}

fn config(url: &str) -> SdkConfig {
    let credentials = aws_sdk_s3::config::Credentials::new(
        Services::ACCESS_KEY,
        Services::SECRET_KEY,
        None,
        None,
        "tests",
    );
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(Services::REGION))
        .endpoint_url(url)
        .credentials_provider(aws_sdk_s3::config::SharedCredentialsProvider::new(
            credentials,
        ))
        .build()
}
