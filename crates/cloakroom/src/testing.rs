//! A service in memory, for tests.
//!
//! ```
//! use cloakroom::testing::{self, json};
//! use cloakroom::{Command, HandlerError, Status, service};
//!
//! #[derive(serde::Deserialize, schemars::JsonSchema)]
//! struct Order {
//!     amount: u32,
//! }
//!
//! async fn place(order: Order) -> Result<u32, HandlerError> {
//!     Ok(7 * order.amount)
//! }
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! // In your tests, use #[tokio::test].
//! let service = testing::start(service![Command::json("order.place", place)]).await;
//! let job = service.submit("order.place", &json!({ "amount": 3 })).await.expect("it is accepted");
//! let job = service.finish(&job).await;
//! assert_eq!((job.status, job.result), (Status::Succeeded, Some(json!(21))));
//!
//! let problem = service.submit("order.place", &json!({ "amount": "many" })).await.expect_err("it is rejected");
//! assert_eq!(problem.errors[0].pointer, "/amount");
//! # });
//! ```
//!
//! Requests pass through the same router as in a deployment, with the same checks and the same documents.

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use axum::response::Response;
use cloakroom_app::Host as _;
use cloakroom_app::ports::Objects as _;
use cloakroom_app::testing::Room;
use cloakroom_core::{JobKey, ResultRef};
use cloakroom_http::{Site, router};
use http_body_util::BodyExt as _;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tower::ServiceExt as _;

use crate::Service;

pub use axum::http::StatusCode;
pub use cloakroom_core::Problem;
pub use cloakroom_core::view::JobView;
pub use serde_json::json;

/// Starts a service in memory, and pauses the clock of tokio. Time advances only while all tasks wait: a handler that sleeps for an
/// hour, or a retry after ten minutes, takes no real time.
///
/// # Panics
/// Panics outside of a current-thread runtime of tokio, such as that of `#[tokio::test]`, and if a state can't be built.
pub async fn start(service: Service) -> TestService {
    let service = service
        .start()
        .await
        .unwrap_or_else(|error| panic!("start the service: {error}"));
    tokio::time::pause();
    let room = Room::new(service.iter().cloned().collect());
    let (submit, uploads) = (room.submit.clone(), room.uploads.clone());
    let router = router(
        Site::default(),
        Some((submit, uploads)),
        Some(room.jobs.clone()),
    );
    TestService { room, router }
}

/// A service in memory.
#[derive(Clone)]
pub struct TestService {
    room: Room,
    router: Router,
}

impl TestService {
    /// Submits a command whose payload is JSON.
    ///
    /// # Errors
    /// Returns the problem document of a response that is not 200 or 202.
    pub async fn submit(
        &self,
        command: &str,
        payload: &impl Serialize,
    ) -> Result<JobView, Box<Problem>> {
        let body = serde_json::to_vec(payload).expect("a payload is JSON");
        let target = format!("/commands/{command}");
        self.send(&target, "application/json", body).await
    }

    /// Submits a command with a body of bytes. The query string contains its payload.
    ///
    /// # Errors
    /// Returns the problem document of a response that is not 200 or 202.
    pub async fn submit_bytes(
        &self,
        command: &str,
        query: &str,
        content_type: &str,
        body: impl Into<Vec<u8>>,
    ) -> Result<JobView, Box<Problem>> {
        let target = format!("/commands/{command}?{query}");
        self.send(&target, content_type, body.into()).await
    }

    async fn send(
        &self,
        target: &str,
        content_type: &str,
        body: Vec<u8>,
    ) -> Result<JobView, Box<Problem>> {
        let key = format!("test-{}", self.room.host.random());
        let request = Request::post(target)
            .header("Content-Type", content_type)
            .header("Idempotency-Key", key)
            .body(Body::from(body))
            .expect("the command and the query are valid in a URI");
        let response = self.request(request).await;
        if response.status().is_success() {
            return Ok(read(response).await);
        }
        Err(Box::new(read(response).await))
    }

    /// Runs handlers until no job waits, then returns the current state of this job.
    ///
    /// # Panics
    /// Panics if the jobs do not end.
    pub async fn finish(&self, job: &JobView) -> JobView {
        self.room.work_until_idle().await;
        let request = Request::get(&job.links.this).body(Body::empty());
        let response = self.request(request.expect("a link is a URI")).await;
        if response.status().is_success() {
            return read(response).await;
        }
        let problem: Problem = read(response).await;
        *problem
            .job
            .expect("a job that ended is part of the problem")
    }

    /// Returns the bytes of a job's result, of any media type.
    ///
    /// # Panics
    /// Panics if the job has no result.
    pub async fn result(&self, job: &JobView) -> Vec<u8> {
        let id = job.id.parse().expect("an id of this service");
        let key = JobKey {
            tenant: crate::Tenant::default(),
            id,
        };
        let job = self.room.poll(&key).await;
        let result = job.success.and_then(|success| success.result);
        match result.expect("a result") {
            ResultRef::Inline { bytes, .. } => bytes,
            ResultRef::Stored { key, .. } => {
                let object = self.room.memory.get(&key).await.expect("it can be read");
                object.expect("a stored result exists").to_vec()
            }
        }
    }

    /// Sends a request to the router.
    pub async fn request(&self, request: Request<Body>) -> Response {
        let Ok(response) = self.router.clone().oneshot(request).await;
        response
    }
}

async fn read<T: DeserializeOwned>(response: Response) -> T {
    let status = response.status();
    let body = response.into_body().collect().await;
    let body = body.expect("bodies are in memory").to_bytes();
    serde_json::from_slice(&body)
        .unwrap_or_else(|error| panic!("read the {status} response: {error}"))
}
