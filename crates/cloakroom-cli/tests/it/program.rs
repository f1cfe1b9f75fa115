//! The built program against a scripted server: what it prints, and how it exits.

use std::process::{Command, Output};

use crate::script::{ID, Server, job, problem, reply};
use serde_json::{Value, json};

/// Runs the program to its end. Its standard streams are no terminals.
async fn cloakroom(url: &str, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cloakroom"));
    command
        .args(args)
        .args(["--retry-for", "0"])
        .env("CLOAKROOM_URL", url)
        .env("CLOAKROOM_TOKEN", "secret");
    let run = move || command.output().expect("the program runs");
    tokio::task::spawn_blocking(run).await.expect("no panic")
}

fn stdout(output: &Output) -> &str {
    str::from_utf8(&output.stdout).expect("text")
}

fn stderr(output: &Output) -> &str {
    str::from_utf8(&output.stderr).expect("text")
}

#[tokio::test]
async fn submit_and_wait_prints_the_job_as_it_ended() {
    let accepted = reply(
        202,
        &[("location", &format!("/jobs/{ID}"))],
        job("accepted", &json!({})).to_string(),
    );
    let succeeded = reply(
        200,
        &[],
        job("succeeded", &json!({ "result": { "ok": true } })).to_string(),
    );
    let server = Server::start([accepted, succeeded]).await;
    let file = tempfile::Builder::new()
        .suffix(".png")
        .tempfile()
        .expect("a file");
    let path = file.path().to_str().expect("a path");
    let output = cloakroom(
        &server.url,
        &[
            "submit",
            "thumbnail.create",
            path,
            "-q",
            "width=9",
            "--key",
            "k",
            "--not-before",
            "2026-11-21T09:00:00+01:00",
            "--callback-url",
            "https://host/hook",
            "--callback-events",
            "all",
            "--reply-to",
            "orders",
            "--correlation-id",
            "cart-7",
            "--wait",
            "--json",
        ],
    )
    .await;
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let lines: Vec<_> = stdout(&output).lines().collect();
    assert_eq!(lines.len(), 1);
    let document: Value = serde_json::from_str(lines[0]).expect("JSON");
    assert_eq!(
        (&document["status"], &document["result"]["ok"]),
        (&json!("succeeded"), &json!(true))
    );
    assert_eq!(
        stderr(&output),
        format!(
            "accepted: {0}/jobs/{ID}\nsucceeded\nresult: cloakroom result {ID} --url {0}\n",
            server.url
        )
    );
    let seen = server.end();
    assert_eq!(seen[0].line, "POST /commands/thumbnail.create?width=9");
    assert_eq!(seen[0].header("content-type"), Some("image/png"));
    assert_eq!(seen[0].header("idempotency-key"), Some("\"k\""));
    assert_eq!(
        seen[0].header("not-before"),
        Some("2026-11-21T08:00:00.000Z")
    );
    assert_eq!(seen[0].header("authorization"), Some("Bearer secret"));
    let sent = [
        "callback-url",
        "callback-events",
        "reply-to",
        "correlation-id",
    ]
    .map(|name| seen[0].header(name));
    assert_eq!(
        sent,
        [
            Some("https://host/hook"),
            Some("all"),
            Some("orders"),
            Some("cart-7")
        ]
    );
}

#[tokio::test]
async fn watch_follows_the_events_of_a_job() {
    let document = |version: u64, status, progress: &Value| {
        job(status, &json!({ "version": version, "progress": progress }))
    };
    let percent = |percent: u64| json!({ "percent": percent, "message": "resizing" });
    let event = |version: u64| {
        let document = document(version, "running", &percent(version * 10));
        format!("event: job\nid: {version}\ndata: {document}\n\n")
    };
    let events = event(2) + &event(3) + "event: job\nid: 4\ndata: ";
    let events = format!("{events}{}\n\n", document(4, "succeeded", &Value::Null));
    let stream = [("content-type", "text/event-stream")];
    let server = Server::start([
        reply(202, &[], document(1, "accepted", &Value::Null).to_string()),
        reply(200, &stream, events),
        reply(200, &[], document(4, "succeeded", &Value::Null).to_string()),
    ])
    .await;
    let output = cloakroom(&server.url, &["watch", ID]).await;
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(
        stderr(&output),
        "accepted\nrunning 20 %: resizing\nrunning 30 %: resizing\nsucceeded\n"
    );
    assert_eq!(server.end()[1].line, format!("GET /jobs/{ID}/events"));
}

#[tokio::test]
async fn a_link_is_printed_as_a_full_url() {
    let link = json!({ "url": "/shared/t-1", "events": "/shared/t-1/events", "expires_at": "2026-11-21T08:10:00.000Z" });
    let server = Server::start([reply(201, &[], link.to_string())]).await;
    let args = ["link", ID, "--scope", "read,cancel", "--ttl", "600"];
    let output = cloakroom(&server.url, &args).await;
    assert_eq!(
        (stdout(&output), stderr(&output)),
        (
            format!("{}/shared/t-1\n", server.url).as_str(),
            "the link expires at 2026-11-21T08:10:00.000Z\n"
        )
    );
    let body: Value = serde_json::from_slice(&server.end()[0].body).expect("JSON");
    assert_eq!(
        body,
        json!({ "scope": ["read", "cancel"], "ttl_seconds": 600 })
    );
}

#[tokio::test]
async fn deliveries_are_lines_or_json_and_one_can_be_repeated() {
    let delivery = json!({ "id": "d-1", "kind": "webhook", "target": "https://host", "state": "failed", "attempts": [] });
    let listed = json!({ "deliveries": [delivery] }).to_string();
    let server = Server::start([
        reply(200, &[], listed.clone()),
        reply(200, &[], listed),
        reply(200, &[], r#"{"deliveries":[]}"#),
        reply(202, &[], ""),
    ])
    .await;
    let lines = cloakroom(&server.url, &["deliveries", ID]).await;
    assert_eq!(
        stdout(&lines),
        "d-1  failed  webhook https://host  no attempt yet\n"
    );
    let document = cloakroom(&server.url, &["deliveries", ID, "--json"]).await;
    let document: Value = serde_json::from_str(stdout(&document)).expect("JSON");
    assert_eq!(document, json!([delivery]));
    let none = cloakroom(&server.url, &["deliveries", ID]).await;
    assert_eq!(
        (stdout(&none), stderr(&none)),
        ("", "the job has no deliveries\n")
    );
    let output = cloakroom(&server.url, &["redeliver", ID, "d-1"]).await;
    assert_eq!(
        (output.status.code(), stdout(&output), stderr(&output)),
        (Some(0), "", "")
    );
    assert_eq!(
        server.end()[3].line,
        format!("POST /jobs/{ID}/deliveries/d-1/redeliver")
    );
}

#[tokio::test]
async fn submit_prints_the_id_alone_and_sends_an_empty_object_by_default() {
    let server = Server::start([reply(202, &[], job("accepted", &json!({})).to_string())]).await;
    let output = cloakroom(&server.url, &["submit", "a"]).await;
    assert_eq!(
        (output.status.code(), stdout(&output)),
        (Some(0), format!("{ID}\n").as_str())
    );
    let seen = server.end();
    assert_eq!(
        (&*seen[0].body, seen[0].header("content-type")),
        (b"{}".as_slice(), Some("application/json"))
    );
}

#[tokio::test]
async fn exit_codes_tell_how_it_ended() {
    let failed = json!({ "error": { "code": "no-such-face", "detail": "no face", "status": 404 } });
    let cases = [
        (
            vec!["watch", ID],
            problem(404, "no-such-face", Some(job("failed", &failed))),
            1,
            "failed: no face (no-such-face)\n",
        ),
        (
            vec!["watch", "x"],
            problem(404, "never-asked", None),
            2,
            "error: failed to use \"x\" as a job",
        ),
        (
            vec!["watch", ID],
            problem(410, "job-cancelled", Some(job("cancelled", &json!({})))),
            3,
            "cancelled\n",
        ),
        (
            vec!["cancel", ID],
            problem(409, "job-finished", None),
            4,
            "error: failed to complete the request: not so (409 job-finished)\n",
        ),
        (
            vec!["watch", ID],
            reply(503, &[], ""),
            5,
            "error: failed to get a response",
        ),
        (
            vec!["result", ID],
            reply(202, &[], job("running", &json!({})).to_string()),
            5,
            "error: job",
        ),
        (
            vec!["result", ID],
            problem(404, "unknown-job", None),
            6,
            "error: failed to complete the request",
        ),
        (
            vec!["find", "k"],
            reply(200, &[], r#"{"jobs":[]}"#),
            6,
            "error: no job has the key \"k\"",
        ),
        (
            vec!["find", "k"],
            reply(
                200,
                &[],
                json!({ "jobs": [job("running", &json!({}))] }).to_string(),
            ),
            0,
            "",
        ),
        (
            vec!["cancel", ID],
            reply(202, &[], job("cancelling", &json!({})).to_string()),
            0,
            "",
        ),
    ];
    for (args, answer, code, said) in cases {
        let server = Server::start([answer]).await;
        let output = cloakroom(&server.url, &args).await;
        assert_eq!(
            output.status.code(),
            Some(code),
            "{args:?}: {}",
            stderr(&output)
        );
        assert!(
            stderr(&output).starts_with(said),
            "{args:?}: {}",
            stderr(&output)
        );
    }
}

#[tokio::test]
async fn a_result_goes_to_a_file_whole_or_not_at_all() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.png");
    let file = path.to_str().expect("a path");
    let server = Server::start([
        reply(200, &[("content-type", "image/png")], "a picture"),
        problem(404, "unknown-job", None),
    ])
    .await;
    let url = format!("{}/jobs/{ID}", server.url);
    // The URL says which service it is; the token is for another.
    let output = cloakroom("https://else.where", &["result", &url, "-o", file]).await;
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(
        stderr(&output).starts_with("the token is for https://else.where"),
        "{}",
        stderr(&output)
    );
    assert_eq!(std::fs::read(&path).expect("a file"), b"a picture");
    assert_eq!(
        std::fs::read_dir(folder.path()).expect("a folder").count(),
        1
    );
    let output = cloakroom(&server.url, &["result", ID, "-o", file]).await;
    assert_eq!(output.status.code(), Some(6));
    assert_eq!(
        std::fs::read(&path).expect("the file of before"),
        b"a picture"
    );
    assert_eq!(server.end()[0].header("authorization"), None);
}

/// Runs the doctor with these variables, and no others that AWS tools read.
fn doctor(args: &[&str], variables: &[(&str, &str)]) -> Output {
    let folder = tempfile::tempdir().expect("a folder");
    let mut command = Command::new(env!("CARGO_BIN_EXE_cloakroom"));
    command
        .arg("doctor")
        .args(args)
        .env_clear()
        .env("HOME", folder.path());
    // Without credentials, the SDK would wait for those of the machine.
    command
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .envs(variables.iter().copied());
    command.output().expect("the program runs")
}

#[test]
fn a_doctor_that_can_ask_nothing_says_why_in_one_finding() {
    let region = ("AWS_REGION", "eu-west-1");
    let key = [
        ("AWS_ACCESS_KEY_ID", "ada"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
    ];
    let nobody = std::net::TcpListener::bind("127.0.0.1:0")
        .and_then(|it| it.local_addr())
        .expect("a port");
    let nobody = format!("http://{nobody}");
    let cases = [
        (vec![key[0], key[1]], 7, "region", "no region is set"),
        (
            vec![("AWS_REGION", ""), ("AWS_PROFILE", ""), key[0], key[1]],
            7,
            "region",
            "no region is set",
        ),
        (vec![region], 7, "credentials", "none found: "),
        (
            vec![region, key[0], key[1], ("AWS_ENDPOINT_URL", &nobody)],
            5,
            "endpoint",
            "no response: ",
        ),
    ];
    for (variables, code, check, found) in cases {
        let output = doctor(&["--json"], &variables);
        assert_eq!(output.status.code(), Some(code), "{}", stderr(&output));
        assert_eq!(stderr(&output).lines().count(), 1, "{}", stderr(&output));
        let findings: Vec<Value> = serde_json::from_str(stdout(&output)).expect("JSON");
        let failed: Vec<_> = findings.iter().filter(|it| it["state"] == "fail").collect();
        assert_eq!(
            (failed.len(), failed[0]),
            (1, findings.last().expect("a finding")),
            "{findings:?}"
        );
        assert_eq!(
            (&failed[0]["subject"], &failed[0]["check"]),
            (&json!("credentials"), &json!(check))
        );
        assert!(
            failed[0]["found"]
                .as_str()
                .is_some_and(|text| text.starts_with(found)),
            "{failed:?}"
        );
        assert!(
            failed[0]["why"].is_string() && failed[0]["fix"].is_string(),
            "{failed:?}"
        );
        assert!(!stdout(&output).contains("secret"));
    }
}

#[test]
fn a_doctor_wants_the_name_of_a_stack() {
    for args in [
        vec!["--stack", "a stack"],
        vec!["--stack", ""],
        vec!["cloakroom"],
    ] {
        let output = doctor(&args, &[]);
        assert_eq!(
            (output.status.code(), stdout(&output)),
            (Some(2), ""),
            "{args:?}"
        );
    }
}

#[tokio::test]
async fn help_tells_the_commands_and_the_exit_codes() {
    insta::assert_snapshot!(stdout(&cloakroom("", &["--help"]).await));
}

#[tokio::test]
async fn says_its_version_and_completes_for_a_shell() {
    assert_eq!(
        stdout(&cloakroom("", &["--version"]).await),
        concat!("cloakroom ", env!("CARGO_PKG_VERSION"), "\n")
    );
    assert!(stdout(&cloakroom("", &["completions", "bash"]).await).contains("cloakroom"));
}

#[tokio::test]
async fn explain_tells_a_jobs_story_and_unknown_jobs_apart() {
    let story = json!({
        "job": job("succeeded", &json!({})),
        "history": [
            { "at": "2026-11-21T08:00:00.000Z", "event": "accept", "attempt": 0 },
            { "at": "2026-11-21T08:00:01.000Z", "event": "claim", "attempt": 1 },
            { "at": "2026-11-21T08:00:03.500Z", "event": "succeed", "attempt": 1 },
        ],
    });
    let deliveries = json!({ "deliveries": [{
        "id": "3-webhook", "kind": "webhook", "target": "https://hooks.example.com", "state": "pending",
        "attempts": [{ "at": "2026-11-21T08:00:03.600Z", "status": 503 }], "next_at": "2026-11-21T08:00:08.700Z",
    }] });
    let server = Server::start([
        reply(200, &[], story.to_string()),
        reply(200, &[], deliveries.to_string()),
        problem(404, "unknown-job", None),
    ])
    .await;
    let output = cloakroom(&server.url, &["explain", ID]).await;
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let lines: Vec<_> = stdout(&output).lines().collect();
    assert_eq!(
        lines[5..],
        [
            "delivery 3-webhook to webhook https://hooks.example.com: pending, next attempt at 2026-11-21T08:00:08.700Z",
            "2026-11-21T08:00:03.600Z  attempt 1: status 503",
        ]
    );
    let lines = &lines[1..4];
    assert_eq!(
        lines,
        [
            "2026-11-21T08:00:00.000Z  accepted",
            "2026-11-21T08:00:01.000Z  attempt 1 started, 1.0 s later",
            "2026-11-21T08:00:03.500Z  succeeded in attempt 1, after 2.5 s",
        ]
    );
    assert_eq!(
        cloakroom(&server.url, &["explain", ID]).await.status.code(),
        Some(6)
    );
    let requests = server.end();
    assert_eq!(requests[0].line, format!("GET /jobs/{ID}/history"));
    assert_eq!(requests[1].line, format!("GET /jobs/{ID}/deliveries"));
}
