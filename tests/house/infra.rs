//! Checks that infra/template.yaml matches the code.

use std::collections::BTreeSet;

use cloakroom_core::{Code, OVERTIME};
use cloakroom_tests::{root, template};
use serde_yaml_ng::Value;

fn text(value: &Value) -> &str {
    value.as_str().expect("text")
}

#[test]
fn each_parameter_but_the_authorizer_has_a_default_and_all_have_a_sentence_and_a_range() {
    let template = template();
    for (name, parameter) in template["Parameters"].as_mapping().expect("parameters") {
        assert!(text(&parameter["Description"]).ends_with('.'), "{name:?}");
        let default = &parameter["Default"];
        assert_eq!(
            default.is_null(),
            name == "Authorizer",
            "{name:?}: the first deployment asks for the authorizer alone"
        );
        if default.is_null() {
            continue;
        }
        match &parameter["AllowedValues"] {
            Value::Sequence(values) => assert!(values.contains(default), "{name:?}"),
            _ if text(&parameter["Type"]) == "Number" => {
                let number = |key: &str| {
                    parameter[key]
                        .as_i64()
                        .unwrap_or_else(|| panic!("{name:?}: {key}"))
                };
                let default = default
                    .as_i64()
                    .or_else(|| default.as_str()?.parse().ok())
                    .expect("a number");
                assert!(
                    (number("MinValue")..=number("MaxValue")).contains(&default),
                    "{name:?}"
                );
            }
            _ => _ = text(&parameter["AllowedPattern"]),
        }
    }
}

#[test]
fn visibility_and_lease_derive_from_the_workers_timeout() {
    let template = template();
    let times = template["Mappings"]["WorkerTimes"]
        .as_mapping()
        .expect("times");
    for (timeout, times) in times {
        let timeout: i64 = text(timeout).parse().expect("seconds");
        assert_eq!(
            times["Visibility"].as_i64(),
            Some(6 * timeout),
            "as AWS advises"
        );
        let lease: i64 = text(&times["Lease"]).parse().expect("seconds");
        assert!(
            (3..=timeout).contains(&lease),
            "a lease of {lease} s at a timeout of {timeout} s"
        );
    }
    let allowed = template["Parameters"]["WorkerTimeout"]["AllowedValues"]
        .as_sequence()
        .expect("values");
    assert!(
        allowed.iter().eq(times.keys()),
        "each allowed timeout has its times"
    );
}

#[test]
fn the_record_of_an_open_job_lives_as_long_as_a_list_of_the_sweeper() {
    let lists = &template()["Resources"]["Lists"]["Properties"];
    assert_eq!(
        lists["MessageRetentionPeriod"].as_u64(),
        Some(OVERTIME.as_secs())
    );
    assert!(
        lists["RedrivePolicy"].is_null(),
        "a list comes back however often the sweeper dies"
    );
}

#[test]
fn a_response_of_the_gateways_own_is_a_problem_document_of_the_service() {
    let template = template();
    let responses = template["Resources"]["Api"]["Properties"]["GatewayResponses"]
        .as_mapping()
        .expect("responses");
    let mut codes = BTreeSet::new();
    for (kind, response) in responses {
        let body = text(&response["ResponseTemplates"]["application/json"]);
        let problem: cloakroom_core::Problem =
            serde_json::from_str(body).unwrap_or_else(|error| panic!("{kind:?}: {error}"));
        let code = Code::ALL
            .iter()
            .find(|code| code.as_str() == problem.code)
            .unwrap_or_else(|| panic!("{kind:?}"));
        assert_eq!(
            (problem.type_uri, problem.title.as_str()),
            (code.type_uri(), code.title()),
            "{kind:?}"
        );
        assert_eq!(
            (problem.status, response["StatusCode"].as_u64()),
            (code.status(), Some(code.status().into()))
        );
        let headers = &response["ResponseParameters"]["Headers"];
        assert_eq!(text(&headers["Content-Type"]), "'application/problem+json'");
        let again = problem.status == 429 || problem.status == 503;
        assert_eq!(
            !headers["Retry-After"].is_null(),
            again,
            "{kind:?}: these alone mean: ask again"
        );
        let cors = serde_json::to_value(&headers["Access-Control-Allow-Origin"]).expect("JSON");
        assert_eq!(
            cors["!If"][1], "'*'",
            "{kind:?}: a page of another origin may read it"
        );
        assert_eq!(
            !headers["WWW-Authenticate"].is_null(),
            problem.status == 401,
            "{kind:?}: RFC 9110, section 15.5.2"
        );
        codes.insert(problem.code);
    }
    for code in [
        "temporarily-unavailable",
        "too-many-requests",
        "unauthorized",
        "forbidden",
        "internal-error",
    ] {
        assert!(codes.contains(code), "{code}");
    }
}

#[test]
fn the_gateways_413_names_the_limit_of_the_service() {
    let template = template();
    let responses = &template["Resources"]["Api"]["Properties"]["GatewayResponses"];
    let too_large = text(&responses["REQUEST_TOO_LARGE"]["ResponseTemplates"]["application/json"]);
    assert!(
        too_large.contains(&format!("{} bytes", cloakroom_app::command::BODY_LIMIT)),
        "{too_large}"
    );
}

/// Returns true if a rule of the bucket allows this method for this origin, with or without `CorsOrigins`.
fn bucket_allows(origins: Option<&str>, origin: &str, method: &str) -> bool {
    let template = template();
    let rules =
        template["Resources"]["Bucket"]["Properties"]["CorsConfiguration"]["CorsRules"].clone();
    rules.as_sequence().expect("rules").iter().any(|rule| {
        let (rule, allowed) = match rule {
            Value::Tagged(tagged) if tagged.tag == "!If" => (&tagged.value[1], origins),
            plain => (plain, plain["AllowedOrigins"][0].as_str()),
        };
        let methods = rule["AllowedMethods"].as_sequence().expect("methods");
        let known = allowed
            .is_some_and(|allowed| allowed == "*" || allowed.split(',').any(|one| one == origin));
        known && methods.iter().any(|one| one == method)
    })
}

#[test]
fn a_page_that_follows_a_redirect_to_a_result_may_read_it_and_only_named_pages_upload() {
    for method in ["GET", "HEAD"] {
        assert!(
            bucket_allows(None, "null", method),
            "{method}: a redirect to another origin sends `Origin: null`"
        );
        assert!(
            bucket_allows(Some("https://shop.example"), "null", method),
            "{method}"
        );
    }
    for (origins, origin, allowed) in [
        (None, "https://shop.example", false),
        (Some("https://shop.example"), "https://shop.example", true),
        (Some("https://shop.example"), "null", false),
        (
            Some("https://a.example,https://b.example"),
            "https://b.example",
            true,
        ),
    ] {
        assert_eq!(
            bucket_allows(origins, origin, "PUT"),
            allowed,
            "{origins:?}: {origin}"
        );
    }
}

#[test]
fn pages_send_and_read_the_same_headers_through_an_http_api() {
    let made = std::fs::read_to_string(root().join("infra/http-api.yaml")).expect("a template");
    let http: Value = serde_yaml_ng::from_str(&made).expect("YAML");
    let Value::Tagged(cors) = &http["Resources"]["Api"]["Properties"]["CorsConfiguration"] else {
        panic!("!If")
    };
    assert_eq!(
        (cors.tag.to_string().as_str(), &cors.value[0]),
        ("!If", &Value::from("HasCors"))
    );
    let listed = |name: &str| {
        let names = cors.value[1][name]
            .as_sequence()
            .expect("names")
            .iter()
            .map(text);
        names.map(str::to_owned).collect::<BTreeSet<_>>()
    };
    let split = |names: &str| names.split(", ").map(str::to_owned).collect();
    assert_eq!(
        listed("AllowHeaders"),
        split(cloakroom_http::cors::REQUEST_HEADERS)
    );
    assert_eq!(
        listed("ExposeHeaders"),
        split(cloakroom_http::cors::EXPOSED_HEADERS)
    );
}

/// Resources that differ for an HTTP API or don't exist there, including those based on the gateway's metrics.
const OF_THE_REST_API: &[&str] = &[
    "Api",
    "UsagePlan",
    "ServerErrorsAlarm",
    "LatencyAlarm",
    "DashboardOfAll",
];

#[test]
fn the_stack_behind_an_http_api_is_the_same_stack() {
    let made = std::fs::read_to_string(root().join("infra/http-api.yaml")).expect("a template");
    let http: Value = serde_yaml_ng::from_str(&made).expect("YAML");
    let rest = template();
    // The stage of an HTTP API is not part of its paths, and it can't stream.
    let written = |value: &Value| {
        serde_yaml_ng::to_string(value)
            .expect("YAML")
            .replace("!Sub /${StageName}", "/")
            .replace("!Ref Streaming", "off")
            .replace("'off'", "off")
    };
    for (name, resource) in rest["Resources"].as_mapping().expect("resources") {
        if !OF_THE_REST_API.contains(&text(name)) {
            assert_eq!(
                written(resource),
                written(&http["Resources"][name]),
                "run infra/http-api: {name:?}"
            );
        }
    }
    // https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-metrics.html
    for (alarm, metric) in [("ServerErrorsAlarm", "5xx"), ("LatencyAlarm", "Latency")] {
        let properties = &http["Resources"][alarm]["Properties"];
        let dimensions = properties["Dimensions"]
            .as_sequence()
            .expect("dimensions")
            .iter()
            .map(|it| text(&it["Name"]));
        assert_eq!(
            (text(&properties["MetricName"]), dimensions.collect()),
            (metric, vec!["ApiId", "Stage"]),
            "{alarm}"
        );
    }
    assert!(
        !made.contains("5XXError") && !made.contains("ApiName"),
        "names of a REST API's metrics"
    );
    let routes = http["Resources"].as_mapping().expect("resources").values();
    let routes: BTreeSet<_> = routes
        .filter_map(|it| it["Properties"]["RouteKey"].as_str())
        .map(str::to_owned)
        .collect();
    let wanted = paths(&rest)
        .flat_map(|(path, _)| [format!("ANY {path}"), format!("OPTIONS {path}")])
        .collect();
    assert_eq!(routes, wanted);
}

#[test]
fn the_routes_of_watch_are_those_of_the_template() {
    let manifest = std::fs::read_to_string(root().join("Cargo.toml")).expect("a manifest");
    let routes = manifest
        .split_once("[workspace.metadata.lambda.watch.router]\n")
        .expect("routes")
        .1;
    let watched: BTreeSet<_> = routes
        .lines()
        .take_while(|line| !line.is_empty())
        .map(str::to_owned)
        .collect();
    let template = template();
    let mut deployed = BTreeSet::new();
    for (path, methods) in paths(&template) {
        let program = if uris(&methods[ANY])[0].contains("${SubmitFunction.Arn}") {
            "submit"
        } else {
            "status"
        };
        // The catch-all route includes the routes of jobs and of shared links. Their events are the same program's.
        if !path.starts_with("/jobs") && !path.starts_with("/shared") {
            deployed.insert(format!("{path:?} = {program:?}").replace("{proxy+}", "{*path}"));
        }
    }
    assert_eq!(watched, deployed);
}

const ANY: &str = "x-amazon-apigateway-any-method";

fn paths(template: &Value) -> impl Iterator<Item = (&str, &Value)> {
    let document = &template["Resources"]["Api"]["Properties"]["DefinitionBody"];
    document["paths"]
        .as_mapping()
        .expect("paths")
        .iter()
        .map(|(path, methods)| (text(path), methods))
}

/// Returns the URIs of a method's integrations. Where there are two, `Streaming` selects one.
fn uris(method: &Value) -> Vec<&str> {
    match &method["x-amazon-apigateway-integration"] {
        Value::Tagged(tagged) => {
            assert_eq!(
                (tagged.tag.to_string().as_str(), &tagged.value[0]),
                ("!If", &Value::from("IsStreamed"))
            );
            (1..3).map(|at| text(&tagged.value[at]["uri"])).collect()
        }
        plain => vec![text(&plain["uri"])],
    }
}

#[test]
fn events_are_streamed_by_a_function_of_their_own_unless_that_is_off() {
    let template = template();
    let streamed: BTreeSet<_> = paths(&template)
        .filter(|(_, methods)| uris(&methods[ANY]).len() == 2)
        .map(|(path, methods)| {
            let uris = uris(&methods[ANY]);
            let name = "functions/${EventsFunction.Arn}/";
            assert!(
                uris[0].ends_with(&format!(
                    "path/2021-11-15/{name}response-streaming-invocations"
                )),
                "{path}"
            );
            assert!(
                uris[1].ends_with(&format!("path/2015-03-31/{name}invocations")),
                "{path}"
            );
            path
        })
        .collect();
    let wanted = ["/jobs/{id}/events", "/shared/{ticket}/events"];
    assert_eq!(streamed, BTreeSet::from(wanted));
}

#[test]
fn every_path_asks_who_calls_but_for_shared_links_and_a_browsers_preflight() {
    let template = template();
    for (path, methods) in paths(&template) {
        let names: BTreeSet<_> = methods
            .as_mapping()
            .expect("methods")
            .keys()
            .map(text)
            .collect();
        assert_eq!(names, BTreeSet::from(["options", ANY]), "{path}");
        let security = serde_json::to_value(&methods[ANY]["security"]).expect("JSON");
        // The function verifies the ticket in the path.
        let asked = if path.starts_with("/shared/") {
            serde_json::json!([])
        } else {
            serde_json::json!({ "!If": ["AsksNobody", [], [{ "caller": [] }]] })
        };
        assert_eq!(security, asked, "{path}");
        assert!(methods["options"]["security"].is_null(), "{path}");
        let (options, any) = (uris(&methods["options"]), uris(&methods[ANY]));
        if any.len() == 1 {
            assert_eq!(options, any, "{path}");
        } else {
            assert!(options[0].contains("${StatusFunction.Arn}"), "{path}");
        }
    }
}

#[test]
fn the_authorizers_are_those_that_the_functions_know() {
    let template = template();
    for one in template["Parameters"]["Authorizer"]["AllowedValues"]
        .as_sequence()
        .expect("values")
    {
        let set = |name: &str| (name == "CLOAKROOM_AUTHORIZER").then(|| text(one).to_owned());
        assert!(cloakroom_aws::http_settings(&set).is_ok(), "{one:?}");
    }
    let rule = &template["Rules"]["TokensAreOfAUserPool"];
    assert!(
        text(&rule["Assertions"][0]["AssertDescription"]).contains("UserPoolArn"),
        "and tokens are of a user pool"
    );
    assert!(
        text(&template["Outputs"]["Caution"]["Value"]).contains("ANYONE"),
        "a trial says so"
    );
}

/// The stream retains changes for a day.
#[test]
fn a_change_is_published_after_any_outage_that_the_stream_outlasts() {
    let events = &template()["Resources"]["PublisherFunction"]["Properties"]["Events"];
    let changed = &events["Changed"]["Properties"];
    assert_eq!(text(&changed["StartingPosition"]), "TRIM_HORIZON");
    assert_eq!(changed["MaximumRecordAgeInSeconds"].as_u64(), Some(86_400));
    let retries = changed.get("MaximumRetryAttempts");
    assert_eq!(retries, None, "without it, they are not limited");
}
