use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::runtime_components::{
    RuntimeComponents, RuntimeComponentsBuilder,
};
use aws_smithy_types::config_bag::ConfigBag;
use cloakroom_app::ports::{JobStore as _, PortError, Queue as _};
use cloakroom_core::{JobId, JobKey, Tenant};
use tokio::time::timeout;

use super::*;
#[cfg(feature = "listeners")]
use crate::requests::script::{Script, failed};
use crate::services::clients_of;
use crate::{DynamoStore, SqsQueue};

/// Starts a service that sends the beginning of each response and then stalls. Returns its URL.
fn stalling_service() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it has one");
    thread::spawn(move || {
        let mut held = vec![];
        for stream in listener.incoming() {
            let mut stream = stream.expect("a connection");
            _ = stream.read(&mut [0; 8192]).expect("a request");
            stream
                .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"")
                .expect("it is read");
            held.push(stream);
        }
    });
    format!("http://{address}")
}

#[tokio::test(start_paused = true)]
async fn a_call_whose_answer_stalls_ends_in_its_time() {
    let clients = clients_of(&stalling_service());
    let (store, queue) = (
        DynamoStore::new(&clients, "jobs"),
        SqsQueue::new(&clients, "https://sqs/jobs"),
    );
    let key = JobKey {
        tenant: Tenant::default(),
        id: JobId::from_uuid(uuid::Uuid::nil()),
    };
    let read = timeout(OPERATION_TIMEOUT + ATTEMPT_TIMEOUT, store.load(&key))
        .await
        .expect("it ends in time");
    assert!(
        matches!(read, Err(PortError::Unavailable { .. })),
        "{read:?}"
    );
    let hidden = timeout(
        OPERATION_TIMEOUT + ATTEMPT_TIMEOUT,
        queue.hide("receipt", Duration::ZERO),
    )
    .await
    .expect("it ends in time");
    assert!(
        matches!(hidden, Err(PortError::Unavailable { .. })),
        "{hidden:?}"
    );
}

#[tokio::test]
async fn a_call_says_who_makes_it() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("it has one"));
    let (sender, heads) = mpsc::channel();
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a connection");
        let mut head = vec![0; 8192];
        let length = stream.read(&mut head).expect("a request");
        sender
            .send(String::from_utf8_lossy(&head[..length]).to_lowercase())
            .expect("it is waited for");
        stream
            .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
            .expect("it is read");
    });
    SqsQueue::new(&clients_of(&url), "https://sqs/jobs")
        .hide("receipt", Duration::ZERO)
        .await
        .expect("it is answered");
    let head = heads.recv().expect("it was asked");
    let said: Vec<_> = head
        .lines()
        .filter(|line| line.contains("user-agent:"))
        .collect();
    assert_eq!(
        said,
        [concat!("user-agent: cloakroom/", env!("CARGO_PKG_VERSION"))],
        "{head}"
    );
}

/// HTTP client that counts its validations, and never sends a request.
#[derive(Debug, Default)]
struct Counted(Arc<AtomicUsize>);

impl HttpClient for Counted {
    fn http_connector(
        &self,
        _: &HttpConnectorSettings,
        _: &RuntimeComponents,
    ) -> SharedHttpConnector {
        unreachable!("nothing is called")
    }

    fn validate_base_client_config(
        &self,
        _: &RuntimeComponentsBuilder,
        _: &ConfigBag,
    ) -> Result<(), BoxError> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

#[test]
fn connections_are_made_ready_with_the_first_client_and_not_again() {
    let counted = Counted::default();
    let times = Arc::clone(&counted.0);
    let mut clients = clients_of("http://127.0.0.1:9");
    clients.sdk = clients
        .sdk
        .into_builder()
        .http_client(tuning::validated_once(SharedHttpClient::new(counted)))
        .build();
    assert_eq!(times.load(Ordering::Relaxed), 0);
    _ = (clients.dynamodb(), clients.sqs(), clients.s3());
    assert_eq!(times.load(Ordering::Relaxed), 1);
}

/// Returns the clients of a function with these environment variables.
fn function_clients(variables: &[(&str, &str)]) -> Clients {
    Clients::from_variables(&|name| {
        variables
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, value)| (*value).to_owned())
    })
}

/// Variables with an endpoint for each service.
const ENDPOINTS: [(&str, &str); 6] = [
    ("AWS_ENDPOINT_URL_DYNAMODB", "http://dynamodb"),
    ("AWS_ENDPOINT_URL_SQS", "http://sqs"),
    ("AWS_ENDPOINT_URL_S3", "http://s3"),
    ("AWS_ENDPOINT_URL_SCHEDULER", "http://scheduler"),
    ("AWS_ENDPOINT_URL_EVENTBRIDGE", "http://eventbridge"),
    ("AWS_ENDPOINT_URL_SECRETS_MANAGER", "http://secretsmanager"),
];

#[test]
fn a_function_asks_where_its_variables_say() {
    let others = [
        ("AWS_REGION", "eu-west-1"),
        ("AWS_ENDPOINT_URL", "http://all"),
        ("AWS_USE_FIPS_ENDPOINT", "true"),
        ("AWS_USE_DUALSTACK_ENDPOINT", "TRUE"),
    ];
    let clients = function_clients(&[&others[..], &ENDPOINTS].concat());
    assert_eq!(clients.sdk.region().map(AsRef::as_ref), Some("eu-west-1"));
    assert_eq!(clients.sdk.endpoint_url(), Some("http://all"));
    assert!(clients.sdk.credentials_provider().is_some());
    assert_eq!(
        (clients.sdk.use_fips(), clients.sdk.use_dual_stack()),
        (Some(true), Some(true))
    );
    let Endpoints {
        dynamodb,
        sqs,
        s3,
        scheduler,
        eventbridge,
        secrets_manager,
    } = &clients.endpoints;
    let urls = [dynamodb, sqs, s3, scheduler, eventbridge, secrets_manager]
        .map(|url| url.as_deref().unwrap_or_default());
    assert_eq!(
        urls,
        [
            "http://dynamodb",
            "http://sqs",
            "http://s3",
            "http://scheduler",
            "http://eventbridge",
            "http://secretsmanager"
        ]
    );
    assert!(clients.path_style);
}

#[cfg(feature = "listeners")]
#[tokio::test]
async fn each_client_asks_the_endpoint_of_its_service() {
    let script = Script::new((0..6).map(|_| failed(400, "{}")));
    let region = [("AWS_REGION", "eu-west-1")];
    let mut clients = function_clients(&[&region[..], &ENDPOINTS].concat());
    let credentials = Credentials::new("key", "secret", None, None, "given");
    let sdk = clients.sdk.into_builder();
    clients.sdk = sdk
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .http_client(SharedHttpClient::new(script.clone()))
        .build();
    _ = clients.dynamodb().list_tables().send().await;
    _ = clients.sqs().list_queues().send().await;
    _ = clients.s3().list_buckets().send().await;
    _ = clients.scheduler().list_schedules().send().await;
    _ = clients.eventbridge().list_event_buses().send().await;
    _ = clients.secrets_manager().list_secrets().send().await;
    let requests = script.requests();
    let hosts: Vec<_> = requests
        .lines()
        .filter_map(|line| line.split_once(" http://")?.1.split('/').next())
        .collect();
    let services = [
        "dynamodb",
        "sqs",
        "s3",
        "scheduler",
        "eventbridge",
        "secretsmanager",
    ];
    assert_eq!(hosts, services);
}

#[test]
fn all_clients_have_the_same_timeouts_and_attempts() {
    for clients in [function_clients(&[]), clients_of("http://127.0.0.1:9")] {
        let timeouts = clients.sdk.timeout_config().expect("timeouts");
        assert_eq!(
            [
                timeouts.connect_timeout(),
                timeouts.operation_attempt_timeout(),
                timeouts.operation_timeout()
            ],
            [2, 3, 9].map(|seconds| Some(Duration::from_secs(seconds)))
        );
        let retries = clients.sdk.retry_config().expect("retries");
        assert_eq!(retries.max_attempts(), 3);
    }
}

#[test]
fn an_operator_names_buckets_in_the_path_where_the_endpoint_is_not_that_of_aws() {
    let sdk = SdkConfig::builder;
    let is_set = |set: &'static str| move |name: &str| (name == set).then(|| "http://x".to_owned());
    for (clients, path_style) in [
        (Clients::from_profile(sdk().build(), &|_| None), false),
        (
            Clients::from_profile(sdk().build(), &is_set("AWS_ENDPOINT_URL_S3")),
            true,
        ),
        (
            Clients::from_profile(sdk().build(), &is_set("AWS_ENDPOINT_URL_SQS")),
            false,
        ),
        (
            Clients::from_profile(sdk().endpoint_url("http://all").build(), &|_| None),
            true,
        ),
    ] {
        assert_eq!(clients.path_style, path_style);
    }
}

#[test]
fn each_kind_of_endpoint_has_its_own_variable() {
    for (variable, used) in [
        ("AWS_USE_FIPS_ENDPOINT", (Some(true), None)),
        ("AWS_USE_DUALSTACK_ENDPOINT", (None, Some(true))),
    ] {
        let sdk = function_clients(&[(variable, "true")]).sdk;
        assert_eq!((sdk.use_fips(), sdk.use_dual_stack()), used, "{variable}");
    }
}

#[test]
fn a_function_without_variables_asks_aws() {
    for variables in [
        &[][..],
        &[
            ("AWS_ENDPOINT_URL", ""),
            ("AWS_ENDPOINT_URL_S3", ""),
            ("AWS_REGION", ""),
        ],
    ] {
        let clients = function_clients(variables);
        assert_eq!(
            (clients.sdk.region(), clients.sdk.endpoint_url()),
            (None, None)
        );
        assert_eq!(
            (clients.sdk.use_fips(), clients.sdk.use_dual_stack()),
            (None, None)
        );
        let Endpoints {
            dynamodb,
            sqs,
            s3,
            scheduler,
            eventbridge,
            secrets_manager,
        } = &clients.endpoints;
        assert!(
            [dynamodb, sqs, s3, scheduler, eventbridge, secrets_manager]
                .iter()
                .all(|url| url.is_none())
                && !clients.path_style
        );
    }
    let off = function_clients(&[
        ("AWS_USE_FIPS_ENDPOINT", "false"),
        ("AWS_USE_DUALSTACK_ENDPOINT", "no"),
    ]);
    assert_eq!(
        (off.sdk.use_fips(), off.sdk.use_dual_stack()),
        (Some(false), Some(false))
    );
    for name in ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"] {
        assert!(
            function_clients(&[(name, "http://s3")]).path_style,
            "{name}"
        );
    }
    assert!(!function_clients(&[("AWS_ENDPOINT_URL_SQS", "http://sqs")]).path_style);
}
