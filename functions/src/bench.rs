//! A deployment in memory that serves all commands, for their tests.

use bytes::Bytes;
use cloakroom_app::core::{Job, ResultRef};
use cloakroom_app::payload::PayloadError;
use cloakroom_app::ports::Objects as _;
use cloakroom_app::submit::{Body, SubmitError};
use cloakroom_app::testing::Room;

pub(crate) struct Bench(pub(crate) Room);

impl Bench {
    pub(crate) fn new() -> Self {
        Self(Room::new(crate::service().iter().cloned().collect()))
    }

    /// Submits a command, and runs handlers until its job has ended.
    pub(crate) async fn run(
        command: &str,
        query: &str,
        content_type: &str,
        bytes: impl Into<Bytes>,
    ) -> (Self, Job) {
        let bench = Self::new();
        bench
            .submit(command, query, content_type, bytes)
            .await
            .expect("it is accepted");
        bench.0.work_until_idle().await;
        let job = bench.0.memory.only_job();
        (bench, job)
    }

    pub(crate) async fn submit(
        &self,
        command: &str,
        query: &str,
        content_type: &str,
        bytes: impl Into<Bytes>,
    ) -> Result<(), SubmitError> {
        let body = Body::Sent {
            content_type: Some(content_type.to_owned()),
            bytes: bytes.into(),
        };
        self.0.send_body(command, None, query, body).await.map(drop)
    }

    /// Returns the pointers of the errors for which a payload is rejected.
    pub(crate) async fn refusal(
        command: &str,
        query: &str,
        content_type: &str,
        bytes: impl Into<Bytes>,
    ) -> Vec<String> {
        match Self::new()
            .submit(command, query, content_type, bytes)
            .await
        {
            Err(SubmitError::Payload(PayloadError::Invalid(errors))) => {
                errors.into_iter().map(|it| it.pointer).collect()
            }
            other => panic!("want a rejection of {query:?}, not {other:?}"),
        }
    }

    /// Returns the result of a job: its media type and its bytes.
    pub(crate) async fn result(&self, job: &Job) -> Option<(String, Bytes)> {
        let success = job
            .success
            .as_ref()
            .unwrap_or_else(|| panic!("it succeeds: {:?}", job.failure));
        Some(match success.result.clone()? {
            ResultRef::Inline {
                content_type,
                bytes,
            } => (content_type, bytes.into()),
            ResultRef::Stored {
                content_type, key, ..
            } => (
                content_type,
                self.0
                    .memory
                    .get(&key)
                    .await
                    .expect("the memory does not fail")
                    .expect("it is there"),
            ),
        })
    }
}
