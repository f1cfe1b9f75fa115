//! Payloads and results that no function holds completely: the memory of a worker's process while it copies one.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use cloakroom_core::Digest;
use futures::TryStreamExt as _;
use reqwest::Client;
use serde_json::{Value, json};
use tokio::time::{MissedTickBehavior, interval};

use crate::body;
use crate::stack::{Stack, header, request};

const MIB: u64 = 1024 * 1024;

/// Number of bytes that are digested at once.
const PIECE: usize = 1 << 20;

/// Maximum memory of a worker's process, whatever the length of the data.
const MOST_MEMORY: u64 = 64 * MIB;

/// Returns a part of the sent data: the numbers 0 to 250, repeated.
fn bytes(start: usize, length: usize) -> Vec<u8> {
    let mut once: Vec<u8> = (0..=250).collect();
    once.rotate_left(start % 251);
    let mut bytes = once.repeat(length.div_ceil(once.len()));
    bytes.truncate(length);
    bytes
}

fn digest(length: u64) -> Digest {
    let mut sum = Digest::builder();
    let length = usize::try_from(length).expect("a length");
    (0..length)
        .step_by(PIECE)
        .for_each(|start| sum.update(&bytes(start, PIECE.min(length - start))));
    sum.finish()
}

/// Returns the current and the maximum memory of a process, in bytes.
fn memory(process: u32) -> (u64, u64) {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))
        .expect("Linux tells of processes");
    let of = |name: &str| {
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix(name))
            .expect("a line");
        line.trim_start_matches(':')
            .trim()
            .trim_end_matches(" kB")
            .parse::<u64>()
            .expect("kilobytes")
            * 1024
    };
    (of("VmRSS"), of("VmHWM"))
}

/// Uploads `length` bytes, copies them in a worker, and fetches the result. Returns the worker's memory over time, and
/// its maximum, in bytes.
async fn copied(stack: &Stack, length: u64) -> (Vec<u64>, u64) {
    let (submit, worker, status) = tokio::join!(
        stack.function("submit"),
        stack.function("worker"),
        stack.function("status")
    );
    let sha256 = digest(length);
    let asked = json!({
        "content_type": "application/octet-stream",
        "content_length": length,
        "sha256": BASE64.encode(sha256.as_bytes()),
        "parts": length.div_ceil(64 * MIB),
    });
    let headers = json!({"content-type": "application/json"});
    let ready = submit
        .invoke(&request(
            "POST",
            "/uploads",
            &json!({}),
            &headers,
            Some(&asked.to_string()),
        ))
        .await;
    let ready = body(&ready);
    let mut start = 0;
    for part in ready["parts"].as_array().expect("parts") {
        let mut put = Client::new().put(part["url"].as_str().expect("a link"));
        for (name, value) in part["headers"].as_object().expect("headers") {
            put = put.header(name, value.as_str().expect("a value"));
        }
        let length = part["content_length"]
            .as_u64()
            .and_then(|length| length.try_into().ok())
            .expect("a length");
        let answer = put
            .body(bytes(start, length))
            .send()
            .await
            .expect("an answer");
        start += length;
        assert!(answer.status().is_success(), "{answer:?}");
    }

    let headers = json!({"upload-id": ready["upload_id"]});
    let accepted = submit
        .invoke(&request(
            "POST",
            "/commands/diagnostic.copy",
            &json!({}),
            &headers,
            None,
        ))
        .await;
    assert_eq!(accepted["statusCode"], 202, "{accepted}");
    let path = header(&accepted, "location")
        .trim_start_matches("/v1")
        .to_owned();

    let messages = stack.receive().await;
    let mut over_time = vec![];
    let mut ticks = interval(Duration::from_millis(20));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let done = {
        let mut working = std::pin::pin!(worker.invoked(&messages));
        loop {
            tokio::select! {
                done = &mut working => break done,
                _ = ticks.tick() => over_time.push(memory(worker.process_id()).0),
            }
        }
    };
    assert_eq!(done, json!({"batchItemFailures": []}));

    let poll = body(
        &status
            .invoke(&request("GET", &path, &json!({}), &json!({}), None))
            .await,
    );
    assert_eq!(poll["status"], "succeeded", "{poll}");
    let answer = status
        .invoke(&request(
            "GET",
            &format!("{path}/result"),
            &json!({}),
            &json!({}),
            None,
        ))
        .await;
    let fetched = reqwest::get(header(&answer, "location"))
        .await
        .expect("an answer");
    let mut sum = Digest::builder();
    let mut stream = fetched.bytes_stream();
    while let Some(piece) = stream.try_next().await.expect("a piece") {
        sum.update(&piece);
    }
    assert_eq!(sum.finish(), sha256, "what comes back is what was sent");
    let most = memory(worker.process_id()).1;
    for function in [submit, worker, status] {
        function.end().await;
    }
    (over_time, most)
}

#[expect(clippy::print_stdout, reason = "a measurement is there to be seen")]
async fn shown(stack: &Stack, length: u64) {
    let (mut over_time, most) = copied(stack, length).await;
    over_time.sort_unstable();
    let at = |part: usize| over_time[(over_time.len() - 1) * part / 100] / MIB;
    println!(
        "{} MiB copied: of the worker {} MiB in memory at most; over time {} samples: least {}, median {}, nine of ten {}, most {} MiB",
        length / MIB,
        most / MIB,
        over_time.len(),
        at(0),
        at(50),
        at(90),
        at(100)
    );
    assert!(
        most < MOST_MEMORY,
        "{} MiB of memory for {} MiB",
        most / MIB,
        length / MIB
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_copied_is_never_whole_in_memory() {
    let stack = Stack::start().await;
    for length in [MIB, 100 * MIB] {
        shown(&stack, length).await;
    }
    stack.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "2 GiB take a minute, and 8 GiB of disk: .ci/release does it"]
async fn two_gibibytes_take_no_more_memory() {
    let stack = Stack::start().await;
    shown(&stack, 2048 * MIB).await;
    stack.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payload_that_was_changed_where_it_lay_is_caught() {
    let stack = Stack::start().await;
    let (submit, worker, status) = tokio::join!(
        stack.function("submit"),
        stack.function("worker"),
        stack.function("status")
    );
    // Too large for a message.
    let payload = json!({"message": "x".repeat(500_000), "digest": true}).to_string();
    let headers = json!({"content-type": "application/json"});
    let event = request(
        "POST",
        "/commands/diagnostic.run",
        &json!({}),
        &headers,
        Some(&payload),
    );
    let accepted = submit.invoke(&event).await;
    let path = header(&accepted, "location")
        .trim_start_matches("/v1")
        .to_owned();
    stack.damage_payloads().await;
    assert_eq!(
        worker.invoke(&stack.receive().await).await,
        json!({"batchItemFailures": []})
    );
    let poll: Value = body(
        &status
            .invoke(&request("GET", &path, &json!({}), &json!({}), None))
            .await,
    );
    assert_eq!(
        (&poll["job"]["status"], &poll["code"]),
        (&json!("failed"), &json!("payload-corrupted")),
        "{poll}"
    );
    stack.shutdown().await;
}
