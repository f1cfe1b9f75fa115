use super::*;

fn keys() -> DeploymentKeys {
    DeploymentKeys::new([1, 2])
}

fn tenant(name: &str) -> Tenant {
    name.parse().expect("a name")
}

const NOW: Timestamp = Timestamp::from_seconds(1_000_000);

const DAY: Duration = Duration::from_secs(86_400);

#[test]
fn keys_are_read_as_they_were_written_and_never_shown() {
    let keys = keys()
        .with_key([3, 4])
        .with_rotated_webhooks(&tenant("a"), NOW);
    assert_eq!(DeploymentKeys::parse(&keys.write()), Ok(keys.clone()));
    assert_eq!(format!("{keys:?}"), "DeploymentKeys(…)");
    let generated = r#"{"key":"abcdefghijklmnopqrstuvwxyz0123456789"}"#;
    assert!(DeploymentKeys::parse(generated).is_ok());
    for bad in ["", "{}", r#"{"key":"short"}"#, r#"{"key":7}"#] {
        assert_eq!(DeploymentKeys::parse(bad), Err(InvalidKeys), "{bad}");
    }
}

#[test]
fn each_tenant_and_each_deployment_has_its_own_secret() {
    let secret = |keys: &DeploymentKeys, name| keys.webhook_secrets(&tenant(name), NOW).remove(0);
    assert_eq!(secret(&keys(), "a"), secret(&keys(), "a"));
    assert_ne!(secret(&keys(), "a"), secret(&keys(), "b"));
    assert_ne!(
        secret(&keys(), "a"),
        secret(&DeploymentKeys::new([9, 9]), "a")
    );
}

#[test]
fn the_replaced_secret_signs_for_a_day_too() {
    let (a, b) = (tenant("a"), tenant("b"));
    let old = keys().webhook_secrets(&a, NOW);
    let keys = keys().with_rotated_webhooks(&a, NOW);
    let during = keys.webhook_secrets(&a, NOW.after(DAY).before(Duration::from_millis(1)));
    assert_eq!((old.len(), during.len()), (1, 2));
    assert_ne!(during[0], old[0], "the new one comes first");
    assert_eq!(during[1], old[0]);
    let after = keys.webhook_secrets(&a, NOW.after(DAY));
    assert_eq!(after, during[..1]);
    assert_eq!(keys.webhook_secrets(&b, NOW).len(), 1, "only that tenant's");
    let again = keys.with_rotated_webhooks(&a, NOW);
    assert_eq!(again.webhook_secrets(&a, NOW)[1], during[0]);
    let both = again.clone().with_rotated_webhooks(&b, NOW);
    assert_eq!(
        both.webhook_secrets(&a, NOW),
        again.webhook_secrets(&a, NOW),
        "each keeps theirs"
    );
    assert_eq!(both.webhook_secrets(&b, NOW).len(), 2);
}

#[test]
fn a_replaced_key_is_accepted_until_the_next_replacement() {
    let (old, signature) = (keys(), keys().sign("p", "text"));
    assert!(old.verify("p", "text", &signature));
    assert!(!old.verify("p", "other", &signature) && !old.verify("q", "text", &signature));
    let new = old.with_key([3, 4]);
    assert!(new.verify("p", "text", &signature));
    assert_ne!(new.sign("p", "text"), signature);
    assert!(!new.with_key([5, 6]).verify("p", "text", &signature));
}

#[test]
fn a_key_has_at_least_32_characters() {
    let keys = |length| format!(r#"{{"key":"{}"}}"#, "k".repeat(length));
    assert!(DeploymentKeys::parse(&keys(32)).is_ok());
    assert_eq!(DeploymentKeys::parse(&keys(31)), Err(InvalidKeys));
    let previous = |length| {
        let (key, previous) = ("k".repeat(32), "p".repeat(length));
        format!(r#"{{"key":"{key}","previous_key":"{previous}"}}"#)
    };
    assert!(DeploymentKeys::parse(&previous(32)).is_ok());
    assert_eq!(DeploymentKeys::parse(&previous(31)), Err(InvalidKeys));
}

#[test]
fn the_secret_of_a_replaced_key_signs_after_those_of_the_new_one() {
    let a = tenant("a");
    let rotated = keys().with_rotated_webhooks(&a, NOW);
    let old = rotated.webhook_secrets(&a, NOW);
    let new = rotated.with_key([3, 4]);
    let fresh = DeploymentKeys::new([3, 4]).with_rotated_webhooks(&a, NOW);
    let fresh = fresh.webhook_secrets(&a, NOW);
    let want = [&fresh[..], &old[..1]].concat();
    assert_eq!(new.webhook_secrets(&a, NOW), want);
    assert_eq!(new.webhook_secrets(&tenant("b"), NOW).len(), 2);
    let newest = new.with_key([5, 6]).webhook_secrets(&a, NOW);
    assert_eq!(newest[2..], fresh[..1], "only the key before it");
}

/// Receivers have stored these secrets, so that no version may derive others.
#[test]
fn the_secrets_of_version_1_are_derived() {
    let a = tenant("a");
    let keys = keys().with_rotated_webhooks(&a, NOW);
    let secrets = keys.webhook_secrets(&a, NOW);
    let shown: Vec<_> = secrets.iter().map(WebhookSecret::reveal).collect();
    assert_eq!(
        shown,
        [
            "whsec_GJwFts2JobX4HzV2Fnj7dKbj1BmcH6khgVpVrlXUK6k=",
            "whsec_uRrwdilcC2LASRaiWm3ga2mt27e6mTQDjaJL0VMt8kE="
        ]
    );
}

/// All later versions must be able to read it.
#[test]
fn keys_of_version_1_are_read() {
    let text = r#"{"key":"abcdefghijklmnopqrstuvwxyz0123456789","previous_key":"0123456789abcdefghijklmnopqrstuvwxyz","webhooks":{"a":{"generation":2,"rotated_at":1000000}}}"#;
    let keys = DeploymentKeys::parse(text).expect("keys");
    assert_eq!(keys.write(), text);
    assert_eq!(keys.webhook_secrets(&tenant("a"), NOW).len(), 3);
}
