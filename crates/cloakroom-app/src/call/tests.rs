//! Given a handler of any shape, when its job runs, then it receives its arguments and its result becomes the job's.

use std::collections::HashMap;
use std::io;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use bytes::Bytes;
use cloakroom_core::{Job, ResultRef, Status};
use futures::FutureExt as _;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::*;
use crate::layer::{HandlerFailure, JobService};
use crate::submit::Body;
use crate::testing::Room;
use crate::{Admission, BodyStream, Command, JobContext, Registry, State, StateError};

#[derive(Deserialize, JsonSchema)]
struct Order {
    amount: u32,
}

#[derive(Serialize, JsonSchema)]
struct Receipt {
    total: u32,
}

/// A price list that a service builds once.
#[derive(Clone, Copy)]
struct Prices(u32);

/// Runs one job of a command with the states of its registry.
async fn run(registry: Registry) -> Job {
    let registry = registry.start().await.expect("it starts");
    let room = Room::new(registry.iter().cloned().collect());
    let sent = room.send("order.place", None, r#"{"amount":3}"#).await;
    room.work_until_idle().await;
    room.poll(&sent.expect("accepted").job.key()).await
}

async fn run_one(command: Command) -> Job {
    run(Registry::new(vec![command])).await
}

/// Returns the JSON result of a job.
fn result(job: Job) -> Value {
    match job.success.and_then(|success| success.result) {
        Some(ResultRef::Inline { bytes, .. }) => serde_json::from_slice(&bytes).expect("JSON"),
        other => panic!("want a result, not {other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_handler_takes_its_payload_the_state_and_the_job() {
    async fn place(
        order: Order,
        State(prices): State<Prices>,
        job: JobContext,
    ) -> Result<Receipt, HandlerError> {
        assert_eq!(job.attempt(), 1);
        Ok(Receipt {
            total: order.amount * prices.0,
        })
    }
    let registry = Registry::new(vec![Command::json("order.place", place)])
        .with_state(|| async { Ok::<_, io::Error>(Prices(7)) });
    assert_eq!(result(run(registry).await), json!({ "total": 21 }));
}

#[tokio::test(start_paused = true)]
async fn a_state_is_built_once_for_all_handlers() {
    static BUILT: AtomicU32 = AtomicU32::new(0);
    async fn place(_: Order, State(prices): State<Prices>) -> Result<u32, HandlerError> {
        Ok(prices.0)
    }
    let commands = ["order.place", "order.change"].map(|name| Command::json(name, place));
    let registry = Registry::new(commands.into())
        .with_state(|| async { Ok::<_, io::Error>(Prices(BUILT.fetch_add(1, Ordering::Relaxed))) });
    assert_eq!(result(run(registry).await), json!(0));
    assert_eq!(BUILT.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_state_that_nothing_builds_is_named_with_its_command() {
    async fn place(_: Order, _: State<Prices>) -> Result<(), HandlerError> {
        Ok(())
    }
    let registry = || Registry::new(vec![Command::json("order.place", place)]);
    let another = registry().with_state(|| async { Ok::<_, io::Error>(7_u8) });
    for registry in [registry(), another] {
        let error = registry.start().await.err().expect("an error").to_string();
        let want = "the handler of order.place takes State<cloakroom_app::call::tests::Prices>, and nothing builds it: add it \
                    with `with_state`";
        assert_eq!(error, want);
    }
}

#[tokio::test]
async fn a_state_that_cant_be_built_is_named_with_the_causes() {
    let registry = Registry::new(vec![])
        .with_state(|| async { Err::<Prices, _>(io::Error::other("no route\nto the database")) });
    let Err(error) = registry.start().await else {
        panic!("want an error")
    };
    let reason = "no route to the database".to_owned();
    assert!(matches!(&error, StateError::Build { reason: told, .. } if *told == reason));
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_returns_nothing_has_no_result_and_no_schema() {
    async fn place(_: Order) -> Result<(), HandlerError> {
        Ok(())
    }
    let command = Command::json("order.place", place);
    assert_eq!(command.result_schema(), None);
    let job = run_one(command).await;
    assert_eq!(job.status, Status::Succeeded);
    assert_eq!(job.success.and_then(|success| success.result), None);
}

#[test]
fn a_typed_result_has_the_schema_of_its_type() {
    async fn place(_: Order) -> Result<Receipt, HandlerError> {
        Ok(Receipt { total: 0 })
    }
    async fn print(_: Order) -> Result<Output, HandlerError> {
        Ok(Output::none())
    }
    let schema = Command::json("order.place", place).result_schema();
    let schema = schema.expect("a schema");
    assert_eq!(schema["required"], json!(["total"]));
    assert_eq!(Command::json("order.print", print).result_schema(), None);
}

enum OrderError {
    SoldOut,
    Busy,
}

impl From<OrderError> for HandlerError {
    fn from(error: OrderError) -> Self {
        match error {
            OrderError::SoldOut => Self::terminal("it is sold out")
                .code("sold-out")
                .status(409),
            OrderError::Busy => Self::retry_after(Duration::from_secs(60), "it is busy"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_error_of_a_services_own_is_mapped_to_a_code_and_a_status() {
    async fn place(_: Order) -> Result<(), OrderError> {
        Err(OrderError::SoldOut)
    }
    let job = run_one(Command::json("order.place", place)).await;
    let failure = job.failure.expect("a failure");
    assert_eq!((failure.code.as_str(), failure.status), ("sold-out", 409));
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_is_busy_is_tried_again_when_it_says() {
    async fn place(_: Order, job: JobContext) -> Result<u128, OrderError> {
        if job.attempt() == 1 {
            return Err(OrderError::Busy);
        }
        Ok(u128::from(job.attempt()))
    }
    let begun = tokio::time::Instant::now();
    let job = run_one(Command::json("order.place", place)).await;
    assert_eq!(result(job), json!(2));
    assert!(begun.elapsed() >= Duration::from_secs(60));
}

#[tokio::test(start_paused = true)]
async fn a_result_without_members_is_a_result() {
    #[derive(Serialize, JsonSchema)]
    struct Done {}
    async fn place(_: Order) -> Result<Done, HandlerError> {
        Ok(Done {})
    }
    let command = Command::json("order.place", place);
    assert!(command.result_schema().is_some());
    assert_eq!(result(run_one(command).await), json!({}));
}

#[tokio::test]
async fn a_blocking_handler_runs_on_a_thread_of_its_own() {
    let here = std::thread::current().id();
    let place = move |order: Order| -> Result<u32, HandlerError> {
        assert_ne!(std::thread::current().id(), here);
        Ok(order.amount)
    };
    let job = run_one(Command::json("order.place", blocking(place))).await;
    assert_eq!(result(job), json!(3));
}

#[tokio::test]
async fn the_thread_of_a_blocking_handler_has_its_place_until_it_ends() {
    let (starts, started) = std::sync::mpsc::channel();
    let (end, ended) = std::sync::mpsc::channel::<()>();
    let ended = Mutex::new(ended);
    let place = move |_: Order| -> Result<(), HandlerError> {
        starts.send(()).expect("the test waits");
        // Until the test drops the other side.
        _ = ended.lock().expect("one thread").recv();
        Ok(())
    };
    let mut room = Room::new(vec![Command::json("order.place", blocking(place))]);
    room.worker.admission = Admission::unlimited().with_places(1);
    let sent = room.send("order.place", None, r#"{"amount":3}"#).await;
    sent.expect("accepted");
    tokio::select! {
        _ = room.work_once() => panic!("its thread waits"),
        _ = tokio::task::spawn_blocking(move || started.recv()) => {}
    }
    // The attempt is dropped, and its task when that is scheduled next. Its thread runs on.
    tokio::task::yield_now().await;
    let admission = &room.worker.admission;
    assert!(admission.admit(0).now_or_never().is_none());
    drop(end);
    admission.admit(0).await.expect("the place is free");
}

#[tokio::test]
async fn a_blocking_handler_that_panics_fails_its_attempt() {
    fn place(_: Order) -> Result<(), HandlerError> {
        panic!("no paper left")
    }
    let base = Duration::from_millis(1);
    let command = Command::json("order.place", blocking(place))
        .attempts(2)
        .backoff(base, base);
    let job = run_one(command).await;
    let failure = job.failure.expect("a failure");
    assert!(failure.detail.ends_with("the handler panicked"));
    assert_eq!(job.attempt, 2, "a panic is tried again");
}

#[tokio::test(start_paused = true)]
async fn an_argument_of_a_services_own_is_made_of_the_job() {
    struct Greeting(String);
    impl FromJob for Greeting {
        async fn from_job(job: &mut JobParts) -> Result<Self, HandlerError> {
            Ok(Self(format!("hello, {}", job.context().tenant())))
        }
    }
    async fn place(_: Order, greeting: Greeting) -> Result<String, HandlerError> {
        Ok(greeting.0)
    }
    let job = run_one(Command::json("order.place", place)).await;
    assert_eq!(result(job), json!("hello, acme"));
}

#[tokio::test(start_paused = true)]
async fn the_body_of_a_binary_command_may_be_any_argument_in_a_layer_too() {
    async fn keep(order: Order, job: JobContext, body: Bytes) -> Result<Output, HandlerError> {
        let kept = [&body[..], order.amount.to_string().as_bytes()].concat();
        Ok(Output::bytes(job.content_type(), kept))
    }
    let command = || Command::binary("file.keep", &["image/png"], keep);
    let layer = tower::layer::util::Identity::new();
    for command in [command(), command().layer(layer)] {
        let room = Room::new(vec![command]);
        let body = Body::Sent {
            content_type: Some("image/png".into()),
            bytes: Bytes::from_static(b"png"),
        };
        let sent = room.send_body("file.keep", None, "amount=9", body).await;
        room.work_until_idle().await;
        let job = room.poll(&sent.expect("accepted").job.key()).await;
        let want = ResultRef::Inline {
            content_type: "image/png".into(),
            bytes: b"png9".to_vec(),
        };
        assert_eq!(job.success.and_then(|success| success.result), Some(want));
    }
}

#[test]
#[should_panic(expected = "take the body of file.keep by one argument")]
fn a_binary_command_whose_handler_takes_no_body_is_rejected() {
    async fn keep(_: crate::testing::Nothing) -> Result<(), HandlerError> {
        Ok(())
    }
    _ = Command::binary("file.keep", &["image/png"], keep);
}

#[test]
#[should_panic(expected = "take the body of file.keep by one argument")]
fn a_binary_command_whose_handler_takes_the_body_twice_is_rejected() {
    async fn keep(_: crate::testing::Nothing, _: Bytes, _: BodyStream) -> Result<(), HandlerError> {
        Ok(())
    }
    _ = Command::binary("file.keep", &["image/png"], keep);
}

#[test]
#[should_panic(expected = "take the body of order.place as its payload")]
fn a_json_command_whose_handler_takes_a_body_is_rejected() {
    async fn place(_: Order, _: Bytes) -> Result<(), HandlerError> {
        Ok(())
    }
    _ = Command::json("order.place", place);
}

#[test]
#[should_panic(expected = "validate the payload that the handler of order.place takes")]
fn a_check_of_another_payload_is_rejected() {
    async fn place(_: Order) -> Result<(), HandlerError> {
        Ok(())
    }
    _ = Command::json("order.place", place).validate(|_: &crate::testing::Nothing| vec![]);
}

#[tokio::test(start_paused = true)]
async fn a_layer_around_a_handler_may_end_its_attempt() {
    async fn place(_: Order) -> Result<(), HandlerError> {
        tokio::time::sleep(Duration::from_secs(20)).await;
        Ok(())
    }
    let layer =
        tower::layer::layer_fn(|inner| tower::timeout::Timeout::new(inner, Duration::from_secs(5)));
    let command = Command::json("order.place", place).attempts(1).layer(layer);
    let begun = tokio::time::Instant::now();
    let job = run_one(command).await;
    assert_eq!(
        job.failure.map(|failure| failure.code),
        Some("job-failed".into())
    );
    assert!(begun.elapsed() < Duration::from_secs(20));
}

#[tokio::test(start_paused = true)]
async fn an_error_of_a_handler_stays_what_it_is_in_a_layer() {
    async fn place(_: Order) -> Result<(), OrderError> {
        Err(OrderError::SoldOut)
    }
    let layer =
        tower::layer::layer_fn(|inner| tower::timeout::Timeout::new(inner, Duration::from_secs(5)));
    let job = run_one(Command::json("order.place", place).layer(layer)).await;
    assert_eq!(job.failure.map(|failure| failure.status), Some(409));
}

#[tokio::test(start_paused = true)]
async fn a_layer_reads_the_error_of_a_handler() {
    async fn place(_: Order) -> Result<(), OrderError> {
        Err(OrderError::SoldOut)
    }
    let seen = Arc::new(Mutex::new(String::new()));
    let layer = tower::layer::layer_fn({
        let seen = Arc::clone(&seen);
        move |inner: JobService| {
            let seen = Arc::clone(&seen);
            tower::util::MapErr::new(inner, move |error: HandlerFailure| {
                *seen.lock().expect("no test panics with it") = error.to_string();
                error
            })
        }
    });
    run_one(Command::json("order.place", place).layer(layer)).await;
    let seen = seen.lock().expect("no test panics with it");
    assert!(seen.contains("it is sold out"), "{seen}");
}

#[tokio::test(start_paused = true)]
async fn data_that_cant_be_json_is_not_published_and_fails_the_job_for_good() {
    async fn place(_: Order, job: JobContext) -> Result<(), HandlerError> {
        job.publish("order.placed", &HashMap::from([((1, 2), 3)]))
    }
    let job = run_one(Command::json("order.place", place)).await;
    let code = job.failure.map(|failure| failure.code);
    assert_eq!((job.attempt, code), (1, Some("invalid-event".into())));
}

#[tokio::test(start_paused = true)]
async fn a_handler_publishes_at_most_ten_events_of_32_kib_under_good_names() {
    async fn place(_: Order, job: JobContext) -> Result<(), HandlerError> {
        for bad in ["", "a b", "ä", "cloakroom.x", &"x".repeat(129)] {
            assert!(job.publish(bad, &1).is_err(), "{bad}");
        }
        job.publish("A.b-c_1", &1)?;
        job.publish(&"x".repeat(128), &())?;
        for _ in 2..10 {
            job.publish("cloakroom", &1)?;
        }
        assert!(job.publish("one.more", &1).is_err());
        Ok(())
    }
    async fn place_large(_: Order, job: JobContext) -> Result<(), HandlerError> {
        // The name and the quotes count.
        let begin = 10_000;
        job.publish("a", &"x".repeat(begin - 3))?;
        let rest = 32 * 1024 - begin;
        assert!(job.publish("a", &"x".repeat(rest - 2)).is_err());
        job.publish("a", &"x".repeat(rest - 3))
    }
    for (command, events) in [
        (Command::json("order.place", place), 10),
        (Command::json("order.place", place_large), 2),
    ] {
        let job = run_one(command).await;
        let published = job.success.map(|success| success.published.len());
        assert_eq!(published, Some(events), "{:?}", job.failure);
    }
}
