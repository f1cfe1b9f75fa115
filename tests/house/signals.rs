//! Checks that dashboards, alarms and documents for operators match the code's metrics.

use std::collections::BTreeSet;

use cloakroom_aws::metrics::{METRICS, NAMESPACE};
use cloakroom_tests::{root, template};
use serde_json::Value as Json;
use serde_yaml_ng::Value;

/// Returns the resources of this type, with their names.
fn of_type<'a>(template: &'a Value, kind: &str) -> Vec<(&'a str, &'a Value)> {
    let resources = template["Resources"].as_mapping().expect("resources");
    let found = resources.iter().filter(|(_, it)| it["Type"] == kind);
    found
        .map(|(name, it)| (name.as_str().expect("a name"), &it["Properties"]))
        .collect()
}

fn known() -> BTreeSet<&'static str> {
    METRICS.0.into_iter().chain(METRICS.1).collect()
}

/// Returns a text, or the argument of `!Sub`.
fn text(value: &Value) -> &str {
    match value {
        Value::Tagged(tagged) => tagged.value.as_str(),
        plain => plain.as_str(),
    }
    .expect("text")
}

#[test]
fn an_alarm_is_silent_without_data_and_tells_whom_it_should() {
    let template = template();
    let alarms = of_type(&template, "AWS::CloudWatch::Alarm");
    assert_eq!(alarms.len(), 29);
    for (name, alarm) in alarms {
        assert_eq!(alarm["TreatMissingData"], "notBreaching", "{name}");
        assert!(text(&alarm["AlarmDescription"]).ends_with('.'), "{name}");
        for actions in ["AlarmActions", "OKActions"] {
            let Value::Tagged(tagged) = &alarm[actions] else {
                panic!("{name} tells nobody")
            };
            assert_eq!(
                (tagged.tag.to_string().as_str(), &tagged.value[0]),
                ("!If", &Value::from("HasAlarmTopic"))
            );
        }
        if alarm["Namespace"] == NAMESPACE {
            assert!(known().contains(text(&alarm["MetricName"])), "{name}");
            assert_eq!(alarm["Dimensions"][0]["Name"], "Service", "{name}");
        }
    }
}

#[test]
fn errors_and_throttles_of_every_function_raise_an_alarm() {
    let template = template();
    let functions: BTreeSet<_> = of_type(&template, "AWS::Serverless::Function")
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    let alarms = of_type(&template, "AWS::CloudWatch::Alarm");
    let watched = |metric: &str| -> BTreeSet<_> {
        let of_metric = alarms
            .iter()
            .filter(|(_, alarm)| alarm["MetricName"] == metric);
        of_metric
            .map(|(_, alarm)| text(&alarm["Dimensions"][0]["Value"]))
            .collect()
    };
    assert_eq!(watched("Errors"), functions);
    assert_eq!(watched("Throttles"), functions);
    assert_eq!(
        watched("IteratorAge"),
        BTreeSet::from(["PublisherFunction", "SweeperFunction"]),
        "they alone read a stream"
    );
}

#[test]
fn the_dashboard_shows_every_metric_and_every_alarm() {
    let template = template();
    let dashboards = of_type(&template, "AWS::CloudWatch::Dashboard");
    let [(_, dashboard)] = dashboards[..] else {
        panic!("one dashboard")
    };
    let body = text(&dashboard["DashboardBody"]);
    let document: Json =
        serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {body}"));
    let (mut shown, mut taken) = (BTreeSet::new(), BTreeSet::new());
    for widget in document["widgets"].as_array().expect("widgets") {
        let at = |name: &str| {
            widget[name]
                .as_u64()
                .unwrap_or_else(|| panic!("{name}: {widget}"))
        };
        assert!(
            at("x") + at("width") <= 24 && taken.insert((at("y"), at("x"))),
            "{widget}"
        );
        for metric in widget["properties"]["metrics"]
            .as_array()
            .into_iter()
            .flatten()
        {
            match metric[0]["expression"].as_str() {
                Some(search) => {
                    let name = search.split_once("MetricName=\"").expect("a name").1;
                    shown.insert(name.split_once('"').expect("its end").0);
                }
                None if metric[0] == NAMESPACE => {
                    _ = shown.insert(metric[1].as_str().expect("a name"));
                }
                None => assert!(
                    metric[0]
                        .as_str()
                        .is_some_and(|name| name.starts_with("AWS/")),
                    "{metric}"
                ),
            }
        }
    }
    assert_eq!(shown, known());
    for (name, _) in of_type(&template, "AWS::CloudWatch::Alarm") {
        assert!(
            body.contains(&format!("${{{name}.Arn}}")),
            "{name} is not on the dashboard"
        );
    }
}

#[test]
fn the_page_for_operators_names_every_metric_and_every_alarm() {
    let page = std::fs::read_to_string(root().join("docs/operating.md")).expect("a page");
    for name in known() {
        assert!(page.contains(&format!("`{name}`")), "{name}");
    }
    let template = template();
    for (name, alarm) in of_type(&template, "AWS::CloudWatch::Alarm") {
        let suffix = text(&alarm["AlarmName"])
            .split_once("}-")
            .expect("the stack's name, and its own")
            .1;
        assert!(page.contains(&format!("`{suffix}`")), "{name}: {suffix}");
    }
}
