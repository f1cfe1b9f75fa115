//! Errors of the built program: exit codes, one line of text, and no secrets.

use std::process::{Command, Output};

use crate::script::{ID, Server, job, problem, reply};
use serde_json::json;

/// Returns the program with credentials, and without other variables that AWS tools read.
fn program(args: &[&str], variables: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cloakroom"));
    command
        .args(args)
        .env_clear()
        .env("HOME", std::env::temp_dir())
        .env("AWS_EC2_METADATA_DISABLED", "true");
    command
        .env("AWS_ACCESS_KEY_ID", "ada")
        .env("AWS_SECRET_ACCESS_KEY", "hidden")
        .env("AWS_REGION", "eu-west-1");
    command.envs(variables.iter().copied());
    command
}

async fn run(args: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut command = program(args, variables);
    tokio::task::spawn_blocking(move || command.output().expect("the program runs"))
        .await
        .expect("no panic")
}

fn stderr(output: &Output) -> &str {
    str::from_utf8(&output.stderr).expect("text")
}

fn nobody() -> String {
    let address = std::net::TcpListener::bind("127.0.0.1:0")
        .and_then(|it| it.local_addr())
        .expect("a port");
    format!("http://{address}")
}

#[tokio::test]
async fn what_can_not_be_reached_is_5_in_every_command_and_one_line() {
    let commands: [&[&str]; 12] = [
        &["submit", "a"],
        &["watch", ID],
        &["result", ID],
        &["cancel", ID],
        &["find", "k"],
        &["explain", ID],
        &["link", ID],
        &["deliveries", ID],
        &["redeliver", ID, "d"],
        &["explain", "--stack", "x", ID],
        &["redrive", "--stack", "x"],
        &["doctor", "--json"],
    ];
    let nobody = nobody();
    let speaks_no_tls = Server::start([]).await;
    let tls = speaks_no_tls.url.replace("http:", "https:");
    for url in [&nobody, &tls] {
        for args in commands {
            let args = [args, &["--retry-for", "0"]].concat();
            let output = run(&args, &[("CLOAKROOM_URL", url), ("AWS_ENDPOINT_URL", url)]).await;
            let said = stderr(&output);
            assert_eq!(output.status.code(), Some(5), "{args:?}: {said}");
            assert!(
                said.starts_with("error: failed to ") && said.lines().count() == 1,
                "{args:?}: {said}"
            );
            assert!(
                !said.contains(" { ") && !said.contains("Some("),
                "a structure of a library: {said}"
            );
        }
    }
}

#[tokio::test]
async fn without_a_region_or_credentials_an_operators_command_says_so_in_one_line() {
    for args in [&["redrive"][..], &["explain", "--stack", "x", ID]] {
        for (variable, words) in [
            ("AWS_REGION", "no region is set"),
            ("AWS_ACCESS_KEY_ID", "there are no credentials"),
        ] {
            let output = run(args, &[(variable, "")]).await;
            let said = stderr(&output);
            assert_eq!(output.status.code(), Some(2), "{said}");
            assert!(
                said.contains(words) && said.contains(variable) && said.lines().count() == 1,
                "{said}"
            );
        }
    }
}

#[tokio::test]
async fn an_endpoint_that_is_no_url_is_an_error_and_does_not_lead_to_aws() {
    for endpoint in ["foo", "http://ada:se/sesame@host"] {
        for (args, code) in [
            (&["redrive"][..], 2),
            (&["explain", "--stack", "x", ID], 2),
            (&["doctor"], 7),
        ] {
            let output = run(args, &[("AWS_ENDPOINT_URL", endpoint)]).await;
            let said = stderr(&output);
            assert_eq!(output.status.code(), Some(code), "{said}");
            assert!(
                said.contains("AWS_ENDPOINT_URL is not a valid URL") && said.lines().count() == 1,
                "{said}"
            );
            assert!(!format!("{output:?}").contains("sesame"), "{output:?}");
        }
    }
}

#[tokio::test]
async fn an_empty_variable_counts_as_unset() {
    let server = Server::start([reply(200, &[], r#"{"jobs":[]}"#)]).await;
    let empty = [
        "CLOAKROOM_TOKEN",
        "CLOAKROOM_STACK",
        "HTTP_PROXY",
        "TMPDIR",
        "XDG_STATE_HOME",
        "RUST_LOG",
    ]
    .map(|it| (it, ""));
    let output = run(&["find", "k", "--url", &server.url], &empty).await;
    assert_eq!(output.status.code(), Some(6), "{}", stderr(&output));
    assert_eq!(server.end()[0].header("authorization"), None);

    let nobody = nobody();
    let output = run(
        &["redrive"],
        &[
            ("CLOAKROOM_STACK", ""),
            ("AWS_PROFILE", ""),
            ("AWS_ENDPOINT_URL", &nobody),
        ],
    )
    .await;
    assert_eq!(output.status.code(), Some(5), "{}", stderr(&output));
    // The default; an empty argument is not.
    let output = run(&["find", "k", "--url", ""], &[("CLOAKROOM_URL", "")]).await;
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
}

#[tokio::test]
async fn an_error_that_a_service_wrote_in_lines_is_one_line() {
    let server = Server::start([reply(
        403,
        &[],
        json!({ "message": "no\nentry\u{1b}[2J" }).to_string(),
    )])
    .await;
    let output = run(&["find", "k"], &[("CLOAKROOM_URL", &server.url)]).await;
    assert_eq!(output.status.code(), Some(4));
    assert_eq!(
        stderr(&output),
        "error: failed to complete the request: no entry [2J (403 http-403)\n"
    );
}

#[tokio::test]
async fn credentials_of_a_url_are_used_and_shown_nowhere() {
    let accepted = || {
        reply(
            202,
            &[("location", &format!("/jobs/{ID}"))],
            job("accepted", &json!({})).to_string(),
        )
    };
    let server = Server::start([accepted(), problem(404, "unknown-job", None), accepted()]).await;
    let url = server.url.replace("http://", "http://ada:s%40sesame@");
    let at = format!("{url}/jobs/{ID}");
    let cases = [
        (
            vec!["submit", "a", "--json"],
            vec![("CLOAKROOM_URL", url.as_str())],
        ),
        (vec!["watch", ID, "--url", &url], vec![]),
        (vec!["cancel", &at], vec![]),
    ];
    for (args, variables) in cases {
        let output = run(&args, &variables).await;
        let shown = format!("{output:?}");
        assert!(
            !shown.contains("sesame") && !shown.contains("ada"),
            "{args:?}: {shown}"
        );
    }
    for seen in server.end() {
        assert_eq!(
            seen.header("authorization"),
            Some("Basic YWRhOnNAc2VzYW1l"),
            "{}",
            seen.line
        );
    }
}

#[tokio::test]
async fn credentials_of_a_url_are_in_no_error_and_no_help() {
    let urls = [
        "http://ada:sesame@127.0.0.1:1",
        "http://ada:se/sesame@host",
        "ada:sesame@host",
        "http://ada:a sesame@host:x",
    ];
    let at = format!("http://ada:sesame@127.0.0.1:1/jobs/{ID}");
    for url in urls {
        let json = format!("--json={url}");
        let cases: [&[&str]; 7] = [
            &["find", "k", "--url", url],
            &["find", "k", url],
            &["find", "k", &json],
            &["watch", &at],
            &["watch", "http://ada:sesame@127.0.0.1:1/jobs/x"],
            &["doctor"],
            &["--help"],
        ];
        for args in cases {
            let args = [args, &["--retry-for", "0"]].concat();
            let variables = [
                ("CLOAKROOM_URL", url),
                ("AWS_ENDPOINT_URL", "http://ada:sesame@127.0.0.1:1"),
            ];
            let output = run(&args, &variables).await;
            assert!(
                !format!("{output:?}").contains("sesame"),
                "{args:?}: {output:?}"
            );
        }
    }
}

#[tokio::test]
async fn a_presigned_link_is_in_no_error() {
    let signed = "http://127.0.0.1:1/bucket/key?X-Amz-Signature=sesame";
    let server = Server::start([
        reply(303, &[("location", signed)], ""),
        reply(307, &[("location", signed)], ""),
    ])
    .await;
    for args in [
        ["result", ID, "--retry-for", "0"],
        ["cancel", ID, "--retry-for", "0"],
    ] {
        let output = run(&args, &[("CLOAKROOM_URL", &server.url)]).await;
        assert_eq!(output.status.code(), Some(5));
        assert!(!stderr(&output).contains("sesame"), "{}", stderr(&output));
    }
    server.end();
}
