//! Jobs that no worker ends: dead letters, and stranded jobs. Each ends as documented, has a history, and can be
//! redriven if that is useful.

use std::process::{Command, Output};
use std::time::Duration;

use cloakroom_app::envelope::{Envelope, PayloadRef, RequestTrace};
use cloakroom_app::ports::JobStore as _;
use cloakroom_app::{Host as _, SystemHost};
use cloakroom_aws::{Clients, DynamoStore};
use cloakroom_core::{Digest, Fingerprint, Job, JobId, NewJob, Status, Tenant, Timestamp};
use cloakroom_doctor::deployment;
use cloakroom_tests::{Deployment, Test, fresh_key, json, location_of, program, suite};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::queues::Queues;

/// Time for ten receipts of a message with [`super::SOON`] between them, plus a reserve.
const PATIENCE: Duration = Duration::from_secs(180);

const HOUR: Duration = Duration::from_secs(3600);

pub(crate) fn tests() -> Vec<Test> {
    suite![
        a_message_that_is_none_of_ours_is_kept_and_harms_nothing => [Deployment],
        the_job_of_a_message_that_cant_be_read_fails_and_tells_why => [Deployment],
        a_dead_letter_is_sent_back_and_its_job_succeeds => [Deployment],
        a_hundred_stranded_jobs_are_swept => [Deployment],
        a_message_whose_job_is_gone_does_nothing => [Deployment],
        a_job_begins_when_its_client_said_and_not_before => [Deployment],
    ]
}

async fn a_message_that_is_none_of_ours_is_kept_and_harms_nothing() {
    let queues = Queues::find().await;
    let body = fresh_key("no message of ours");
    let id = queues.send(&body).await;
    let letter = until("the message is kept", || async {
        let listed = letters(&[]);
        listed.into_iter().find(|letter| {
            letter["letter"]
                .as_str()
                .is_some_and(|key| key.ends_with(&id))
        })
    });
    assert_eq!(letter.await["job"], Value::Null);
    // Waits: the function stores a dead letter before it deletes the message, and other tests have dead letters, too.
    until("no dead letter waits", || async {
        queues.has_no_dead_letters().await.then_some(())
    })
    .await;
}

async fn the_job_of_a_message_that_cant_be_read_fails_and_tells_why() {
    let job = recorded(Duration::ZERO, 1).await.remove(0);
    let unreadable = envelope(&job).replace("\"v\":1", "\"v\":9");
    Queues::find().await.send(&unreadable).await;
    let over = until_over(&job).await;
    assert_eq!(
        (&over["status"], &over["code"]),
        (&json!(400), &json!("unreadable-message"))
    );
    let told = told(&job.id.to_string());
    assert!(
        told.contains("  accepted\n")
            && told.contains("  failed, because its message became a dead letter: unreadable-"),
        "{told}"
    );
    let as_operator = cloakroom(&["explain", "--stack", &stack(), &job.id.to_string()]);
    assert_eq!(as_operator, told);
}

async fn a_dead_letter_is_sent_back_and_its_job_succeeds() {
    let job = recorded(Duration::ZERO, 1).await.remove(0);
    // As after ten receipts.
    Queues::find().await.send_dead(&envelope(&job)).await;
    let over = until_over(&job).await;
    assert_eq!(over["code"], "never-started");
    let id = job.id.to_string();
    let [letter] = &letters(&[&id])[..] else {
        panic!("one letter of {id}")
    };
    assert_eq!(
        (&letter["sent"], &letter["refused"]),
        (&json!(true), &Value::Null)
    );
    let over = until_over(&job).await;
    assert_eq!(
        (&over["status"], &over["attempt"]),
        (&json!("succeeded"), &json!(1))
    );
    let told = told(&id);
    let story = [
        "accepted",
        "failed, because its message became a dead letter",
        "redriven by an operator",
        "attempt 1 started",
        "succeeded",
    ];
    let places: Vec<_> = story
        .iter()
        .map(|words| {
            told.find(words)
                .unwrap_or_else(|| panic!("{words}: {told}"))
        })
        .collect();
    assert!(places.is_sorted(), "{told}");
    assert_eq!(
        run(&["redrive", &id]).status.code(),
        Some(4),
        "there is no letter any more"
    );
}

async fn a_hundred_stranded_jobs_are_swept() {
    let jobs = recorded(HOUR, 100).await;
    let begun = Instant::now();
    for job in &jobs {
        let over = until_over(job).await;
        assert_eq!(
            (&over["status"], &over["code"]),
            (&json!(400), &json!("never-started"))
        );
    }
    let told = told(&jobs[0].id.to_string());
    assert!(
        told.contains("  failed, because it was abandoned: never-started"),
        "{told}"
    );
    eprintln!(
        "a hundred stranded jobs were ended {:.1} s after they were recorded",
        begun.elapsed().as_secs_f64()
    );
}

async fn a_message_whose_job_is_gone_does_nothing() {
    let queues = Queues::find().await;
    queues
        .send(&envelope(&new(Duration::ZERO, &fresh_key("gone"))))
        .await;
    until("the message is deleted", || async {
        queues.is_empty().await.then_some(())
    })
    .await;
}

async fn a_job_begins_when_its_client_said_and_not_before() {
    let cloakroom = Deployment::get().await;
    let not_before = SystemHost.now().after(Duration::from_secs(4));
    let request = cloakroom
        .request(Method::POST, "/commands/diagnostic.run")
        .json(&json!({}));
    let accepted = request
        .header("Not-Before", not_before.to_string())
        .send()
        .await
        .expect("an answer");
    assert_eq!(accepted.status(), 202);
    let (_, job) = cloakroom.end_of(&location_of(&accepted)).await;
    assert!(job.started_at.expect("it ran") >= not_before, "{job:?}");
    assert_eq!((job.status, job.attempt), (Status::Succeeded, 1));
}

fn new(age: Duration, key: &str) -> Job {
    let command = "diagnostic.run".parse().expect("a type");
    let (digest, id) = (
        Digest::from_content(b"{}"),
        JobId::from_uuid(SystemHost.uuid()),
    );
    let new = NewJob {
        tenant: Tenant::default(),
        id,
        client_job_id: Some(key.parse().expect("a key")),
        fingerprint: Fingerprint::new(&command, "", "application/json", &digest, 2),
        command,
        retention: 24 * HOUR,
        not_before: None,
        events: None,
    };
    Job::accept(
        new,
        Timestamp::from_millis(SystemHost.now().as_millis()).before(age),
    )
}

/// Records jobs that were accepted in the past, like submissions that crash before they send their messages.
async fn recorded(age: Duration, n: usize) -> Vec<Job> {
    let clients = Clients::load().await;
    let table = deployment::find(&clients, &stack())
        .await
        .expect("a deployment")
        .table;
    let store = DynamoStore::new(&clients, table);
    let mut jobs = vec![];
    for _ in 0..n {
        let job = new(age, &fresh_key("stranded"));
        store.accept(&job).await.expect("recorded");
        jobs.push(job);
    }
    jobs
}

fn envelope(job: &Job) -> String {
    let digest = Digest::from_content(b"{}");
    Envelope::new(
        job,
        "application/json",
        "",
        PayloadRef::from_bytes(b"{}"),
        &digest,
        RequestTrace::default(),
    )
    .write()
}

/// Returns the response to a poll after the job has ended.
async fn until_over(job: &Job) -> Value {
    let cloakroom = Deployment::get().await;
    let path = format!("/jobs/{}", job.id);
    until("the job is over", || async {
        let (status, body) = json(cloakroom.get_at(&path).await).await;
        // A gateway may reject some of a hundred concurrent requests.
        (status != 202 && status < 500).then_some(body)
    })
    .await
}

pub(crate) async fn until<T, F: Future<Output = Option<T>>>(what: &str, look: impl Fn() -> F) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(
            begun.elapsed() < PATIENCE,
            "not yet, after {} s: {what}",
            PATIENCE.as_secs()
        );
        sleep(Duration::from_millis(500)).await;
    }
}

/// Returns the dead letters that `cloakroom redrive` lists.
fn letters(more: &[&str]) -> Vec<Value> {
    let listed = cloakroom(&[&["redrive", "--json", "--stack", &stack()], more].concat());
    listed
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect()
}

fn cloakroom(args: &[&str]) -> String {
    let output = run(args);
    assert!(
        output.status.success(),
        "{args:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).expect("text")
}

/// Returns a job's history as text, and prints it for readers of the test's output.
pub(crate) fn told(id: &str) -> String {
    let told = cloakroom(&["explain", id]);
    eprintln!("{told}");
    told
}

fn run(args: &[&str]) -> Output {
    Command::new(program("demo"))
        .args(args)
        .output()
        .expect("the program runs")
}

fn stack() -> String {
    std::env::var("CLOAKROOM_STACK").expect("set CLOAKROOM_STACK to the stack's name")
}
