//! The events are AWS's own samples, without irrelevant members.

use lambda_http::request::from_str;
use serde_json::{Value, json};

use super::*;

/// Returns the event of a REST API. Signer and key are in its identity; the result of an authorizer is separate:
/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html>
fn rest(identity: &Value, authorizer: &Value) -> Value {
    let mut whole = json!({
        "cognitoIdentityPoolId": null, "accountId": null, "cognitoIdentityId": null, "caller": null, "apiKey": null,
        "apiKeyId": null, "accessKey": null, "sourceIp": "192.0.2.1", "cognitoAuthenticationType": null,
        "cognitoAuthenticationProvider": null, "userArn": null, "userAgent": "curl/8", "user": null
    });
    for (name, value) in identity.as_object().expect("members") {
        whole[name] = value.clone();
    }
    json!({
        "resource": "/{proxy+}", "path": "/jobs", "httpMethod": "GET", "headers": {}, "multiValueHeaders": {},
        "queryStringParameters": null, "multiValueQueryStringParameters": null, "pathParameters": null,
        "stageVariables": null,
        "requestContext": {
            "accountId": "123456789012", "apiId": "abc", "stage": "v1", "path": "/v1/jobs", "httpMethod": "GET",
            "protocol": "HTTP/1.1", "requestId": "r", "resourcePath": "/{proxy+}", "identity": whole,
            "authorizer": authorizer
        },
        "body": null, "isBase64Encoded": false
    })
}

/// Returns the event of an HTTP API, payload format 2.0:
/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html>
fn http(authorizer: &Value) -> Value {
    json!({
        "version": "2.0", "routeKey": "$default", "rawPath": "/jobs", "rawQueryString": "", "headers": {},
        "requestContext": {
            "accountId": "123456789012", "apiId": "abc", "authorizer": authorizer, "domainName": "abc.example.com",
            "domainPrefix": "abc",
            "http": { "method": "GET", "path": "/jobs", "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1", "userAgent": "curl/8" },
            "requestId": "r", "routeKey": "$default", "stage": "$default", "time": "12/Mar/2020:19:03:58 +0000",
            "timeEpoch": 1_583_348_638_390_u64
        },
        "isBase64Encoded": false
    })
}

fn tenant(authorizer: Authorizer, event: &Value) -> Option<String> {
    let (parts, _) = from_str(&event.to_string())
        .expect("an event of the gateway")
        .into_parts();
    let settings = HttpSettings {
        authorizer,
        ..HttpSettings::default()
    };
    Callers::new(&settings)
        .tenant(&parts)
        .map(|tenant| tenant.as_str().to_owned())
}

#[expect(
    clippy::unnecessary_wraps,
    reason = "it is compared with what may be nobody"
)]
fn some(name: &str) -> Option<String> {
    Some(name.to_owned())
}

/// All kinds of authorizers that identify callers.
const ASKING: [Authorizer; 4] = [
    Authorizer::Iam,
    Authorizer::Jwt,
    Authorizer::ApiKey,
    Authorizer::Custom,
];

#[test]
fn without_an_authorizer_everyone_is_the_default_who_is_not_named_all_the_same() {
    for event in [
        rest(&json!({}), &Value::Null),
        rest(&json!({}), &json!({})),
        http(&Value::Null),
        http(&json!({})),
    ] {
        assert_eq!(tenant(Authorizer::None, &event), some("default"));
    }
    let named = json!({ "principalId": "acme", "integrationLatency": 3 });
    assert_eq!(
        tenant(Authorizer::None, &rest(&json!({}), &named)),
        some("acme")
    );
    let claimed = json!({ "claims": { "sub": "0d5f1c0e" } });
    assert_eq!(
        tenant(Authorizer::None, &rest(&json!({}), &claimed)),
        some("0d5f1c0e")
    );
}

#[test]
fn whom_the_authorizer_should_have_named_and_did_not_is_nobody() {
    let empty = [
        rest(&json!({}), &Value::Null),
        rest(
            &json!({ "caller": "", "apiKeyId": "" }),
            &json!({ "principalId": "", "claims": { "sub": "" } }),
        ),
        http(&Value::Null),
        http(&json!({ "jwt": { "claims": {}, "scopes": null } })),
    ];
    for authorizer in ASKING {
        for event in &empty {
            assert_eq!(tenant(authorizer, event), None, "{authorizer:?} {event}");
        }
    }
}

#[test]
fn only_what_the_configured_authorizer_says_counts() {
    let identity =
        json!({ "caller": "AIDACKCEVSQ6C2EXAMPLE", "apiKeyId": "key0000001", "apiKey": "secret" });
    let authorizer = json!({ "principalId": "acme", "claims": { "sub": "0d5f1c0e" } });
    let all = rest(&identity, &authorizer);
    let want = ["AIDACKCEVSQ6C2EXAMPLE", "0d5f1c0e", "key0000001", "acme"];
    for (one, want) in ASKING.into_iter().zip(want) {
        assert_eq!(tenant(one, &all), some(want));
    }
    assert_eq!(
        tenant(
            Authorizer::Jwt,
            &rest(&identity, &json!({ "principalId": "acme" }))
        ),
        None
    );
    assert_eq!(
        tenant(
            Authorizer::Iam,
            &rest(&json!({ "apiKeyId": "key0000001" }), &authorizer)
        ),
        None
    );
    assert_eq!(
        tenant(
            Authorizer::ApiKey,
            &rest(&json!({ "apiKey": "secret" }), &authorizer)
        ),
        None,
        "never the key"
    );
}

#[test]
fn who_signed_is_the_user_or_the_role_whatever_the_sessions_name() {
    let signed = |caller: &str| {
        let arn = "arn:aws:sts::123456789012:assumed-role/shop/ada";
        let identity = json!({
            "accountId": "123456789012", "caller": caller, "user": caller, "accessKey": "ASIAIOSFODNN7EXAMPLE", "userArn": arn
        });
        let iam = json!({ "iam": {
            "accessKey": "ASIAIOSFODNN7EXAMPLE", "accountId": "123456789012", "callerId": caller, "cognitoIdentity": null,
            "principalOrgId": "o-example", "userArn": arn, "userId": caller
        } });
        let (one, other) = (
            tenant(Authorizer::Iam, &rest(&identity, &Value::Null)),
            tenant(Authorizer::Iam, &http(&iam)),
        );
        assert_eq!(
            one, other,
            "{caller}: the same by a REST API and by an HTTP API"
        );
        one
    };
    assert_eq!(
        signed("AIDACKCEVSQ6C2EXAMPLE"),
        some("AIDACKCEVSQ6C2EXAMPLE")
    );
    assert_eq!(
        signed("AROACKCEVSQ6C2EXAMPLE:ada"),
        some("AROACKCEVSQ6C2EXAMPLE")
    );
    assert_eq!(
        signed("AROACKCEVSQ6C2EXAMPLE:i-0123456789"),
        signed("AROACKCEVSQ6C2EXAMPLE:ada")
    );
    assert_eq!(
        signed("123456789012"),
        some("123456789012"),
        "the account's root"
    );
    assert_ne!(
        signed("123456789012:ada"),
        signed("123456789012:bob"),
        "federated users are two"
    );
}

#[test]
fn users_of_an_identity_pool_are_apart_although_they_have_one_role() {
    let caller = "AROACKCEVSQ6C2EXAMPLE:CognitoIdentityCredentials";
    let by = |identity: &str| {
        let signed = json!({ "caller": caller, "cognitoIdentityId": identity });
        let pool = json!({ "amr": ["unauthenticated"], "identityId": identity, "identityPoolId": "us-east-1:p" });
        let iam = json!({ "iam": { "callerId": caller, "cognitoIdentity": pool } });
        let (one, other) = (
            tenant(Authorizer::Iam, &rest(&signed, &Value::Null)),
            tenant(Authorizer::Iam, &http(&iam)),
        );
        assert_eq!(one, other);
        one
    };
    assert_eq!(by("us-east-1:0d5f1c0e"), some("us-east-1:0d5f1c0e"));
    assert_ne!(by("us-east-1:0d5f1c0e"), by("us-east-1:1d5f1c0e"));
}

#[test]
fn a_token_names_its_user_or_what_another_claim_says() {
    let claims =
        json!({ "sub": "0d5f1c0e", "custom:tenant": "acme", "aud": "x", "exp": "1763715600" });
    let events = [
        rest(&json!({}), &json!({ "claims": claims })),
        http(&json!({ "jwt": { "claims": claims, "scopes": null } })),
    ];
    for event in events {
        assert_eq!(tenant(Authorizer::Jwt, &event), some("0d5f1c0e"));
        let by = |claim: &str| {
            let (parts, _) = from_str(&event.to_string()).expect("an event").into_parts();
            let settings = HttpSettings {
                authorizer: Authorizer::Jwt,
                tenant_claim: claim.to_owned(),
                ..HttpSettings::default()
            };
            Callers::new(&settings)
                .tenant(&parts)
                .map(|tenant| tenant.as_str().to_owned())
        };
        assert_eq!(by("custom:tenant"), some("acme"));
        assert_eq!(
            by("custom:other"),
            None,
            "a user without the claim is nobody, not one of many"
        );
    }
}

#[test]
fn a_token_for_another_app_client_is_nobodys() {
    let by = |claims: Value, ours: &[&str]| {
        let events = [
            rest(&json!({}), &json!({ "claims": claims })),
            http(&json!({ "jwt": { "claims": claims, "scopes": null } })),
        ];
        let [one, other] = events.map(|event| {
            let (parts, _) = from_str(&event.to_string()).expect("an event").into_parts();
            let audience = ours.iter().map(|id| (*id).to_owned()).collect();
            let settings = HttpSettings {
                authorizer: Authorizer::Jwt,
                token_audience: audience,
                ..HttpSettings::default()
            };
            Callers::new(&settings).tenant(&parts).is_some()
        });
        assert_eq!(one, other, "the same by a REST API and by an HTTP API");
        one
    };
    let id_token = json!({ "sub": "0d5f1c0e", "aud": "shop" });
    let access_token = json!({ "sub": "0d5f1c0e", "client_id": "shop" });
    for claims in [
        &id_token,
        &access_token,
        &json!({ "sub": "0d5f1c0e", "aud": "[till shop]" }),
    ] {
        assert!(
            by(claims.clone(), &[]),
            "every app client's, unless some are named"
        );
        assert!(by(claims.clone(), &["other", "shop"]), "{claims}");
        assert!(!by(claims.clone(), &["other"]), "{claims}");
    }
    assert!(
        !by(json!({ "sub": "0d5f1c0e" }), &["shop"]),
        "a token that names none"
    );
}

#[test]
fn names_that_are_no_tenants_stay_apart() {
    let (a, b) = (tenant_of("Grüße an alle"), tenant_of("Grüße an beide"));
    assert_ne!(a, b);
    assert_ne!(
        tenant_of(a.as_str()),
        a,
        "nobody becomes another by calling himself its digest"
    );
    assert_ne!(tenant_of(&"x".repeat(129)), tenant_of(&"x".repeat(130)));
    let digest = "sha256:c8687a08aa5d6ed2044328fa6a697ab8e96dc34291e8c2034ae8c38e6fcc6d65";
    assert_eq!(tenant_of("a b").as_str(), digest);
    assert_eq!(tenant_of(&"x".repeat(128)).as_str(), "x".repeat(128));
}
