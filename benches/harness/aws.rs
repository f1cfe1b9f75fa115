//! Stand-in for AWS that responds immediately and counts calls. It runs in this process, so that a function's CPU time
//! is its own.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard};

use rustls::{ServerConnection, StreamOwned};
use serde_json::{Value, json};

use crate::http::{self, Request};
use crate::table::{Table, Units};
use crate::tls;

/// Counts of calls.
#[derive(Debug, Clone, Default)]
pub(crate) struct Counts {
    /// Calls by operation.
    pub(crate) calls: BTreeMap<String, usize>,
    /// Length of all requests in bytes, including headers.
    pub(crate) sent: usize,
    pub(crate) units: Units,
}

impl Counts {
    fn add(&mut self, operation: String, request: &Request, units: Units) {
        *self.calls.entry(operation).or_default() += 1;
        self.sent += request.bytes;
        self.units.write += units.write;
        self.units.read += units.read;
    }
}

#[derive(Default)]
struct State {
    table: Table,
    objects: HashMap<String, Vec<u8>>,
    messages: Vec<String>,
    counts: Counts,
}

/// The services and their URLs. Each has its own port, like each AWS service has its own host and therefore its own
/// connection.
pub(crate) struct Aws {
    state: Arc<Mutex<State>>,
    /// URLs of DynamoDB, SQS and S3.
    pub(crate) urls: [String; 3],
    /// URLs of the same services with TLS.
    pub(crate) secure_urls: [String; 3],
}

impl Aws {
    pub(crate) fn start(certificate: &tls::Certificate) -> Self {
        let state = Arc::new(Mutex::new(State::default()));
        let urls = [(); 3].map(|()| {
            let state = Arc::clone(&state);
            format!(
                "http://{}",
                http::serve(|stream| stream, move |request| answer(&state, &request))
            )
        });
        let secure_urls = [(); 3].map(|()| {
            let (state, config) = (Arc::clone(&state), certificate.server());
            let wrap = move |stream| {
                StreamOwned::new(
                    ServerConnection::new(Arc::clone(&config)).expect("a good configuration"),
                    stream,
                )
            };
            format!(
                "https://{}",
                http::serve(wrap, move |request| answer(&state, &request))
            )
        });
        Self {
            state,
            urls,
            secure_urls,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nothing panics while it answers")
    }

    /// Returns the counts since the last call.
    pub(crate) fn counts(&self) -> Counts {
        std::mem::take(&mut self.state().counts)
    }

    /// Returns the bodies of the messages that were sent since the last call.
    pub(crate) fn messages(&self) -> Vec<String> {
        std::mem::take(&mut self.state().messages)
    }
}

fn answer(state: &Mutex<State>, request: &Request) -> Vec<u8> {
    let Some(target) = request.header("x-amz-target") else {
        return object(state, request);
    };
    let operation = target.rsplit('.').next().unwrap_or_default();
    let call: Value = serde_json::from_slice(&request.body).expect("JSON");
    let mut state = state.lock().expect("nothing panics while it answers");
    let (answer, units) = match operation {
        "PutItem" => state.table.put(&call),
        "GetItem" => state.table.get(&call),
        "UpdateItem" => state.table.update(&call),
        "SendMessage" => {
            state
                .messages
                .push(call["MessageBody"].as_str().expect("a body").to_owned());
            (
                json!({"MessageId": "c10a6300-0000-4000-8000-000000000002"}),
                Units::default(),
            )
        }
        "ChangeMessageVisibility" => (json!({}), Units::default()),
        other => panic!("nothing stands in for {other}"),
    };
    state.counts.add(operation.to_owned(), request, units);
    drop(state);
    http::answer(
        "200 OK",
        "Content-Type: application/x-amz-json-1.0\r\n",
        answer.to_string().as_bytes(),
    )
}

/// Implements the part of S3 that a large payload or result needs.
fn object(state: &Mutex<State>, request: &Request) -> Vec<u8> {
    let key = request
        .path
        .split('?')
        .next()
        .unwrap_or_default()
        .to_owned();
    let mut state = state.lock().expect("nothing panics while it answers");
    let (status, body) = match request.method.as_str() {
        "PUT" => {
            state.objects.insert(key, request.body.clone());
            ("200 OK", vec![])
        }
        "GET" => (
            "200 OK",
            state
                .objects
                .get(&key)
                .expect("an object that was put")
                .clone(),
        ),
        "DELETE" => {
            state.objects.remove(&key);
            ("204 No Content", vec![])
        }
        other => panic!("nothing stands in for {other} {key}"),
    };
    state.counts.add(
        format!("{} object", request.method),
        request,
        Units::default(),
    );
    drop(state);
    http::answer(status, "", &body)
}
