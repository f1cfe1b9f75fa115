//! Calls to AWS in the life of one job, counted at the wire.

use std::time::Duration;

use bytes::Bytes;
use cloakroom_app::delivery::Disposition;
use cloakroom_app::envelope::RequestTrace;
use cloakroom_app::meter::LogMeter;
use cloakroom_app::ports::{UploadTerms, keys};
use cloakroom_app::submit::{Body, INLINE_LIMIT, Submission};
use cloakroom_app::testing::Nothing;
use cloakroom_app::work::WorkerSettings;
use cloakroom_app::{Command, HandlerError, Host as _, JobContext, Output};
use cloakroom_core::{CommandType, Job, Namespace, Status, Tenant};
use uuid::Uuid;

use super::*;
use crate::services::Fixture;

/// A deployment on the embedded services.
struct Deployment {
    fixture: Fixture,
    queue: SqsQueue,
    submit: Submit,
    uploads: Uploads,
    jobs: Jobs,
    worker: Worker,
}

impl Deployment {
    async fn start() -> Self {
        let fixture = Fixture::start().await;
        let (table, bucket, namespace) = (
            "jobs".to_owned(),
            "cloakroom".to_owned(),
            Namespace::from_uuid(Uuid::nil()),
        );
        DynamoStore::new(&fixture.clients, &table)
            .create_table()
            .await
            .expect("make the table");
        S3Objects::new(&fixture.clients, &bucket)
            .create_bucket()
            .await
            .expect("make the bucket");
        let queue = SqsQueue::create(&fixture.clients, "commands", Duration::from_secs(30), 9)
            .await
            .expect("make the queue")
            .queue;
        let echo = |_: Nothing, bytes: Bytes, _: JobContext| async move {
            Ok::<_, HandlerError>(Output::bytes("text/plain", bytes))
        };
        let commands = Registry::new(vec![Command::binary("echo", &["text/plain"], echo)]);
        let (table, queue_url) = (table, queue.url().to_owned());
        let config = SubmitConfig {
            table: table.clone(),
            queue_url: queue_url.clone(),
            bucket: bucket.clone(),
            namespace,
            inline_limit: INLINE_LIMIT,
            schedule: None,
            diagnostics: false,
            listeners: cloakroom_app::Listeners::default(),
            webhooks: false,
        };
        let (submit, uploads) = submit(
            &config,
            &fixture.clients,
            commands.clone(),
            Arc::new(LogMeter),
        );
        let config = WorkerConfig {
            table: table.clone(),
            queue_url,
            bucket: bucket.clone(),
            settings: WorkerSettings::default(),
            diagnostics: false,
            producers: None,
            memory: None,
        };
        let worker = worker(&config, &fixture.clients, commands, Arc::new(LogMeter));
        let jobs = jobs(
            &JobsConfig {
                table,
                bucket,
                namespace,
                listeners: None,
            },
            &fixture.clients,
            Arc::new(LogMeter),
        );
        fixture.calls.take();
        Self {
            fixture,
            queue,
            submit,
            uploads,
            jobs,
            worker,
        }
    }

    async fn accept(&self, body: Body) -> Job {
        let submission = Submission {
            tenant: Tenant::default(),
            command: CommandType::try_from("echo".to_owned()).expect("a good name"),
            client_job_id: Some("k".parse().expect("a good key")),
            body,
            query: String::new(),
            not_before: None,
            trace: RequestTrace::default(),
            events: None,
        };
        self.submit.submit(submission).await.expect("accepted").job
    }

    /// Processes the only message. Returns the worker's calls, without receiving and deleting.
    async fn work(&self) -> Vec<String> {
        let delivery = self
            .queue
            .receive(1, Duration::ZERO)
            .await
            .expect("receive")
            .pop()
            .expect("a message");
        self.fixture.calls.take();
        let ends_at = SystemHost.now().after(Duration::from_secs(900));
        assert_eq!(
            self.worker.handle(&delivery, ends_at).await,
            Disposition::Done
        );
        let calls = self.fixture.calls.take();
        self.queue.delete(&delivery.receipt).await.expect("delete");
        assert_eq!(
            self.queue
                .receive(1, Duration::ZERO)
                .await
                .expect("receive")
                .len(),
            0,
            "one message"
        );
        self.fixture.calls.take();
        calls
    }

    async fn poll(&self, job: &Job) -> Job {
        self.jobs
            .get(&job.key())
            .await
            .expect("read")
            .expect("known")
    }
}

fn sent(bytes: impl Into<Bytes>) -> Body {
    Body::Sent {
        content_type: Some("text/plain".into()),
        bytes: bytes.into(),
    }
}

#[tokio::test]
async fn a_jobs_whole_life_is_three_writes_and_one_message() {
    let it = Deployment::start().await;
    let job = it.accept(sent("hello")).await;
    assert_eq!(
        it.fixture.calls.take(),
        ["DynamoDB.PutItem", "SQS.SendMessage"]
    );
    assert_eq!(
        it.work().await,
        ["DynamoDB.UpdateItem", "DynamoDB.UpdateItem"]
    );
    assert_eq!(it.poll(&job).await.status, Status::Succeeded);
    assert_eq!(it.fixture.calls.take(), ["DynamoDB.GetItem"]);
}

#[tokio::test]
async fn a_large_payload_and_a_large_result_cost_a_put_each_and_a_get() {
    let it = Deployment::start().await;
    let job = it.accept(sent(vec![b'x'; INLINE_LIMIT])).await;
    assert_eq!(
        it.fixture.calls.take(),
        ["S3.PutObject", "DynamoDB.PutItem", "SQS.SendMessage"]
    );
    let calls = [
        "DynamoDB.UpdateItem",
        "S3.GetObject",
        "S3.PutObject",
        "DynamoDB.UpdateItem",
        "S3.DeleteObject",
    ];
    assert_eq!(it.work().await, calls, "deleting is free");
    assert_eq!(it.poll(&job).await.status, Status::Succeeded);
}

#[tokio::test]
async fn a_duplicate_costs_one_refused_write_and_cancelling_one_write() {
    let it = Deployment::start().await;
    let job = it.accept(sent("hello")).await;
    it.fixture.calls.take();
    it.jobs.cancel(&job.key()).await.expect("written");
    assert_eq!(it.fixture.calls.take(), ["DynamoDB.UpdateItem"]);
    assert_eq!(it.accept(sent("hello")).await.status, Status::Cancelled);
    assert_eq!(it.fixture.calls.take(), ["DynamoDB.PutItem"]);
    assert_eq!(it.work().await, ["DynamoDB.UpdateItem"]);
}

#[tokio::test]
async fn an_upload_costs_a_look_a_copy_and_a_write_of_its_own() {
    let it = Deployment::start().await;
    let terms = UploadTerms {
        content_type: "text/plain".into(),
        length: 5,
        sha256: Some(cloakroom_core::Digest::from_content(b"hello")),
    };
    let ready = it
        .uploads
        .start(&Tenant::default(), &terms)
        .await
        .expect("ready");
    assert_eq!(it.fixture.calls.take(), Vec::<String>::new());
    it.submit
        .objects
        .put(
            &keys::upload(&Tenant::default(), ready.id),
            "text/plain",
            "hello".into(),
        )
        .await
        .expect("put");
    it.fixture.calls.take();
    it.accept(Body::Uploaded(ready.id)).await;
    let calls = [
        "S3.HeadObject",
        "DynamoDB.GetItem",
        "DynamoDB.PutItem",
        "S3.CopyObject",
        "DynamoDB.PutItem",
        "SQS.SendMessage",
    ];
    assert_eq!(it.fixture.calls.take(), calls);
    let calls = [
        "DynamoDB.UpdateItem",
        "S3.GetObject",
        "DynamoDB.UpdateItem",
        "S3.DeleteObject",
    ];
    assert_eq!(it.work().await, calls);
}

#[tokio::test]
async fn an_upload_in_parts_costs_a_write_more_and_no_copy() {
    let it = Deployment::start().await;
    let sha256 = Some(cloakroom_core::Digest::from_content(b"hello"));
    let terms = UploadTerms {
        content_type: "text/plain".into(),
        length: 5,
        sha256,
    };
    let division = cloakroom_core::PartLayout {
        length: 5,
        part_length: 5,
    };
    let ready = it
        .uploads
        .start_parts(&Tenant::default(), &terms, division)
        .await
        .expect("ready");
    assert_eq!(
        it.fixture.calls.take(),
        ["S3.CreateMultipartUpload", "DynamoDB.PutItem"]
    );
    let link = ready.parts[0].link.as_ref().expect("a link");
    let put = reqwest::Client::new()
        .put(&link.url)
        .body("hello")
        .send()
        .await
        .expect("an answer");
    assert_eq!(put.status(), 200);
    it.uploads
        .status(&Tenant::default(), ready.id, 1)
        .await
        .expect("looked")
        .expect("known");
    assert_eq!(
        it.fixture.calls.take(),
        ["DynamoDB.GetItem", "S3.ListParts"]
    );
    let job = it.accept(Body::Uploaded(ready.id)).await;
    assert_eq!(
        it.fixture.calls.take(),
        [
            "S3.HeadObject",
            "DynamoDB.GetItem",
            "S3.ListParts",
            "S3.CompleteMultipartUpload",
            "S3.HeadObject",
            "DynamoDB.GetItem",
            "DynamoDB.PutItem",
            "DynamoDB.PutItem",
            "SQS.SendMessage"
        ]
    );
    let calls = it.work().await;
    assert_eq!(
        calls,
        [
            "DynamoDB.UpdateItem",
            "S3.GetObject",
            "DynamoDB.UpdateItem",
            "S3.DeleteObject"
        ]
    );
    assert_eq!(it.poll(&job).await.status, Status::Succeeded);
}

#[cfg(feature = "listeners")]
#[tokio::test]
async fn deliveries_and_links_exist_where_listeners_are_configured() {
    let Deployment { fixture, jobs, .. } = Deployment::start().await;
    let mut config = JobsConfig {
        table: "jobs".into(),
        bucket: "cloakroom".into(),
        namespace: Namespace::from_uuid(Uuid::nil()),
        listeners: None,
    };
    let plain = with_listeners(jobs, &config, &fixture.clients);
    assert!(plain.publisher.is_none() && plain.links.is_none());
    config.listeners = Some(crate::config::JobListenersConfig {
        deliveries_url: "http://127.0.0.1/deliveries".into(),
        keys_secret: "keys".into(),
        base_path: "/v1".into(),
    });
    let listened = with_listeners(plain, &config, &fixture.clients);
    let publisher = listened.publisher.expect("a publisher");
    assert_eq!(publisher.base_path, "/v1");
    assert!(publisher.bus.is_none(), "the publisher alone has the bus");
    assert!(listened.links.is_some());
}
