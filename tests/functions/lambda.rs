//! Lambda's runtime API, as functions see it: <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>.

use std::collections::{BTreeSet, HashMap};
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::routing::{get, post};
use axum::{Json, Router};
use cloakroom_tests::{SDK_LOG, program};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::net::TcpListener;
use tokio::process::{Child, ChildStdout, Command};
use tokio::sync::{Mutex as AsyncMutex, mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// Maximum duration of an invocation.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Maximum duration of an invocation that the function sees.
const LIFE: Duration = Duration::from_secs(900);

/// A running function.
pub(crate) struct Function {
    events: mpsc::UnboundedSender<(String, Value)>,
    api: Api,
    child: Child,
    log: JoinHandle<Vec<Value>>,
}

#[derive(Clone)]
struct Api {
    events: Arc<AsyncMutex<mpsc::UnboundedReceiver<(String, Value)>>>,
    answers: Arc<Mutex<HashMap<String, oneshot::Sender<Value>>>>,
}

impl Function {
    /// Starts a function with these variables.
    pub(crate) async fn start(name: &str, variables: &HashMap<String, String>) -> Self {
        let (events, queue) = mpsc::unbounded_channel();
        let api = Api {
            events: Arc::new(AsyncMutex::new(queue)),
            answers: Arc::default(),
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address").to_string();
        let routes = Router::new()
            .route("/2018-06-01/runtime/invocation/next", get(next))
            .route("/2018-06-01/runtime/invocation/{id}/{end}", post(answer))
            .with_state(api.clone());
        tokio::spawn(async move { axum::serve(listener, routes).await });
        let mut child = command(name, variables)
            .env("AWS_LAMBDA_RUNTIME_API", address)
            .spawn()
            .expect("the function starts");
        let log = tokio::spawn(lines(child.stdout.take().expect("piped")));
        Self {
            events,
            api,
            child,
            log,
        }
    }

    /// Returns the id of the process.
    pub(crate) fn process_id(&self) -> u32 {
        self.child.id().expect("it runs")
    }

    /// Invokes the function. Fails if it takes too long.
    pub(crate) async fn invoke(&self, event: &Value) -> Value {
        timeout(TIMEOUT, self.invoked(event))
            .await
            .expect("it answers in time")
    }

    /// Invokes the function, and waits without a limit.
    pub(crate) async fn invoked(&self, event: &Value) -> Value {
        let id = format!(
            "{:x}",
            SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .expect("after 1970")
                .as_nanos()
        );
        let (sender, receiver) = oneshot::channel();
        self.api
            .answers
            .lock()
            .expect("no test panics here")
            .insert(id.clone(), sender);
        self.events
            .send((id, event.clone()))
            .expect("the function asks for events");
        receiver.await.expect("it answers")
    }

    /// Ends the function. Returns the operations of AWS that it called or presigned, for example `S3.GetObject`.
    pub(crate) async fn end(self) -> BTreeSet<String> {
        let name = |line: &Value| line["span"]["name"].as_str().expect("a name").to_owned();
        let log = self.log().await;
        log.iter()
            .filter(|line| line["span"]["rpc.system"] == "aws-api")
            .map(name)
            .collect()
    }

    /// Ends the function. Returns the lines of its log.
    pub(crate) async fn log(mut self) -> Vec<Value> {
        self.child.kill().await.expect("it was running");
        self.log.await.expect("its log is read to the end")
    }
}

async fn lines(log: ChildStdout) -> Vec<Value> {
    let mut read = vec![];
    let mut lines = BufReader::new(log).lines();
    while let Some(line) = lines.next_line().await.expect("UTF-8") {
        read.push(
            serde_json::from_str(&line)
                .unwrap_or_else(|error| panic!("{error} in the log: {line}")),
        );
    }
    read
}

fn command(name: &str, variables: &HashMap<String, String>) -> Command {
    let mut command = Command::new(program(name));
    command
        .env_clear()
        .env("RUST_LOG", SDK_LOG)
        .envs(variables)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true);
    for (variable, value) in [
        ("FUNCTION_NAME", name),
        ("FUNCTION_MEMORY_SIZE", "256"),
        ("FUNCTION_VERSION", "$LATEST"),
    ] {
        command.env(format!("AWS_LAMBDA_{variable}"), value);
    }
    command
}

async fn next(State(api): State<Api>) -> (HeaderMap, Json<Value>) {
    let (id, event) = match api.events.lock().await.recv().await {
        Some(event) => event,
        None => std::future::pending().await,
    };
    let deadline = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("after 1970")
        + LIFE;
    let headers = [
        ("lambda-runtime-aws-request-id", id),
        (
            "lambda-runtime-deadline-ms",
            deadline.as_millis().to_string(),
        ),
        (
            "lambda-runtime-invoked-function-arn",
            "arn:aws:lambda:us-east-1:000000000000:function:f".to_owned(),
        ),
        (
            "lambda-runtime-trace-id",
            "Root=1-5759e988-bd862e3fe1be46a994272793".to_owned(),
        ),
    ];
    let header = |(name, value)| {
        (
            HeaderName::from_static(name),
            HeaderValue::try_from(value).expect("visible ASCII"),
        )
    };
    (headers.map(header).into_iter().collect(), Json(event))
}

async fn answer(State(api): State<Api>, Path((id, end)): Path<(String, String)>, answer: String) {
    let answer: Value = serde_json::from_str(&answer).expect("JSON");
    assert_eq!(end, "response", "{answer}");
    if let Some(sender) = api.answers.lock().expect("no test panics here").remove(&id) {
        // The receiver may have been dropped.
        let _ = sender.send(answer);
    }
}
