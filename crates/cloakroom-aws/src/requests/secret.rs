//! Requests to Secrets Manager.

use std::time::Duration;

use cloakroom_app::ports::{KeyStore as _, PortError};
use cloakroom_core::DeploymentKeys;
use tokio::time::sleep;

use super::script::{Answer, Script, failed, ok};
use crate::SecretKeys;

fn secret(answers: impl IntoIterator<Item = Answer>) -> (Script, SecretKeys) {
    let script = Script::new(answers);
    let keys = SecretKeys::new(&script.clients(), "cloakroom/keys");
    (script, keys)
}

fn content(keys: &DeploymentKeys) -> Answer {
    ok(&serde_json::json!({ "SecretString": keys.write() }).to_string())
}

fn keys(n: u128) -> DeploymentKeys {
    DeploymentKeys::new([n, n])
}

async fn read(secret: &SecretKeys) -> DeploymentKeys {
    let keys = secret.keys().await.expect("keys");
    DeploymentKeys::clone(&keys)
}

#[tokio::test(start_paused = true)]
async fn keys_are_read_again_after_a_minute() {
    let (script, secret) = secret([content(&keys(1)), content(&keys(2))]);
    assert_eq!(read(&secret).await, keys(1));
    insta::assert_snapshot!(script.requests_so_far());
    sleep(Duration::from_millis(59_999)).await;
    assert_eq!((read(&secret).await, script.count()), (keys(1), 1));
    assert_eq!(read(&secret.clone()).await, keys(1), "clones share them");
    sleep(Duration::from_millis(1)).await;
    assert_eq!((read(&secret).await, script.count()), (keys(2), 2));
}

#[tokio::test]
async fn keys_that_are_replaced_are_read_again_at_once() {
    let (script, secret) = secret([content(&keys(1)), ok("{}"), content(&keys(2))]);
    assert_eq!(read(&secret).await, keys(1));
    script.requests_so_far();
    secret.replace(&keys(2)).await.expect("replaced");
    let requests = script.requests_so_far();
    let put = requests.split("POST ").nth(2).expect("a request");
    assert!(put.contains("secretsmanager.PutSecretValue"), "{put}");
    assert!(put.contains(r#""SecretId": "cloakroom/keys""#), "{put}");
    let content = serde_json::to_string(&keys(2).write()).expect("JSON");
    assert!(put.contains(&content), "{put}");
    assert_eq!(read(&secret).await, keys(2));
}

#[tokio::test]
async fn a_secret_without_keys_is_a_misconfiguration_and_is_read_again() {
    for content_of_secret in [r#"{"SecretString":"x"}"#, "{}"] {
        let (_, secret) = secret([ok(content_of_secret), content(&keys(1))]);
        let failed = secret.keys().await;
        let Err(PortError::Misconfigured { service, reason }) = failed else {
            panic!("it has no keys")
        };
        assert_eq!(service, "the secret");
        assert!(reason.starts_with("read the deployment's keys"), "{reason}");
        assert_eq!(read(&secret).await, keys(1));
    }
}

#[tokio::test]
async fn a_secret_that_can_not_be_read_or_written_is_an_error() {
    let denied = || failed(400, r#"{"__type":"AccessDeniedException"}"#);
    let (_, secret) = secret([denied(), denied()]);
    let read = secret.keys().await.map(|_| ());
    assert!(matches!(read, Err(PortError::Misconfigured { .. })));
    let replaced = secret.replace(&keys(2)).await;
    assert!(matches!(replaced, Err(PortError::Misconfigured { .. })));
}
