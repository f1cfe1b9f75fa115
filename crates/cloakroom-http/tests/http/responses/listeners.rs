//! Responses about events, deliveries and shared links.

use cloakroom_app::testing::Fault;
use cloakroom_http::Site;
use serde_json::{Value, json};

use super::jobs::{each_state_before_an_end, each_variant, service_with_finished_job};
use super::record::{Record, cors_service, cors_service_with};
use super::rejections::UNKNOWN;
use super::submissions::JSON;
use crate::service::Service;

/// Streams end soon, so that the tests of a stream are quick.
const BRIEF: (&str, &str) = ("prefer", "wait=1");

async fn share(service: &Service, location: &str, scope: &Value) -> String {
    let path = format!("{location}/links");
    let terms = json!({ "scope": scope }).to_string();
    let link = service.request("POST", &path, &[JSON], terms).await.json();
    link["url"].as_str().expect("a url").to_owned()
}

pub(super) async fn events(record: &mut Record) {
    let (service, location) = service_with_finished_job("answer").await;
    let url = share(&service, &location, &json!(["read"])).await;
    for base in [&location, &url] {
        let path = format!("{base}/events");
        let get = ("GET", path.as_str());
        record.request("over", &service, get, &[], "").await;
        let known = [("last-event-id", "99")];
        record
            .request("over, known", &service, get, &known, "")
            .await;
    }
}

pub(super) async fn links_and_deliveries(record: &mut Record) {
    let (service, location) = service_with_finished_job("answer").await;
    let links = format!("{location}/links");
    let post = ("POST", links.as_str());
    let long = format!("{{\"scope\":\"{}\"}}", "x".repeat(5000));
    for (situation, body) in [
        ("a link", "{}"),
        ("no such scope", r#"{"scope":["write"]}"#),
        ("no JSON", "{"),
        ("too long", &long),
    ] {
        record
            .request(situation, &service, post, &[JSON], body)
            .await;
    }
    let path = format!("{location}/deliveries");
    record
        .request("none", &service, ("GET", &path), &[], "")
        .await;

    let job = service.room.memory.only_job();
    let publisher = service.room.jobs.publisher.clone().expect("a publisher");
    let listening = with_webhook(job);
    service.room.memory.meanwhile("load", {
        let listening = listening.clone();
        move |jobs| _ = jobs.insert(listening.key(), listening)
    });
    publisher.publish(&listening).await.expect("published");
    let list = record
        .request("one", &service, ("GET", &path), &[], "")
        .await;
    let id = list.json()["deliveries"][0]["id"].take();
    let id = id.as_str().expect("an id");
    for (situation, id) in [("known", id), ("no such delivery", "9-webhook")] {
        let path = format!("{path}/{id}/redeliver");
        record
            .request(situation, &service, ("POST", &path), &[], "")
            .await;
    }
    let mut later = listening;
    later.version += 1;
    service
        .room
        .memory
        .meanwhile("load", move |jobs| _ = jobs.insert(later.key(), later));
    let path = format!("{path}/{id}/redeliver");
    record
        .request("overtaken", &service, ("POST", &path), &[], "")
        .await;
}

fn with_webhook(mut job: cloakroom_core::Job) -> cloakroom_core::Job {
    job.events = Some(Box::new(cloakroom_core::EventContext {
        webhook: Some(cloakroom_core::listeners::WebhookListener {
            url: "https://hooks.example/x".to_owned(),
            scope: cloakroom_core::EventScope::All,
        }),
        ..cloakroom_core::EventContext::default()
    }));
    job
}

/// Polls and cancels by shared links, in each state of a job.
pub(super) async fn shared(record: &mut Record) {
    let all = json!(["read", "cancel", "signal"]);
    for act in ["answer", "page", "large", "resource", "nothing", "fail"] {
        let (service, location) = service_with_finished_job(act).await;
        let url = share(&service, &location, &all).await;
        each_variant(record, &format!("over: {act}"), &service, &url).await;
        let result = format!("{url}/result");
        each_variant(record, &format!("over: {act}"), &service, &result).await;
        record
            .request("over", &service, ("DELETE", &url), &[], "")
            .await;
    }
    for below in ["", "/result"] {
        each_state_before_an_end(record, below, async |service, location| {
            share(service, location, &json!(["read"])).await
        })
        .await;
    }
    let service = cors_service();
    let (location, work) = service.running_job("nap").await;
    let url = share(&service, &location, &all).await;
    record
        .request("running", &service, ("DELETE", &url), &[], "")
        .await;
    work.abort();
    let location = service.accepted_job("answer", &[]).await;
    let url = share(&service, &location, &all).await;
    record
        .request("accepted", &service, ("DELETE", &url), &[], "")
        .await;
}

/// Tries each route with unknown ids, an unknown caller, other methods and preconditions, in an outage and in a panic.
pub(super) async fn every_route(record: &mut Record) {
    let service = cors_service();
    let location = service.finished_job("answer").await;
    let nobody = cors_service_with(Site::default().tenant(|_| None));
    let panics = cors_service_with(Site::default().tenant(|_| panic!("x")));
    for (method, path) in [
        ("GET", format!("{location}/events")),
        ("POST", format!("{location}/links")),
        ("GET", format!("{location}/deliveries")),
        ("POST", format!("{location}/deliveries/1-webhook/redeliver")),
    ] {
        let route = (method, path.as_str());
        record.request("of nobody", &nobody, route, &[], "").await;
        record.request("a panic", &panics, route, &[], "").await;
        common(record, &service, route).await;
        let unknown = path.replace(location.trim_start_matches("/jobs/"), UNKNOWN);
        record
            .request("unknown", &service, (method, &unknown), &[], "")
            .await;
    }
    let all = json!(["read", "cancel", "signal"]);
    let next = service.accepted_job("answer", &[]).await;
    let (url, other) = (
        share(&service, &location, &all).await,
        share(&service, &next, &all).await,
    );
    for (method, url, below, scope) in [
        ("GET", &url, "", "cancel"),
        ("DELETE", &other, "", "read"),
        ("GET", &url, "/events", "cancel"),
        ("GET", &url, "/result", "cancel"),
        ("POST", &url, "/signals/go", "read"),
    ] {
        let path = format!("{url}{below}");
        let route = (method, path.as_str());
        let narrow = share(&service, &location, &json!([scope])).await;
        let narrow = format!("{narrow}{below}");
        record
            .request("outside", &service, (method, &narrow), &[], "")
            .await;
        let altered = format!("/shared/x.y{below}");
        record
            .request("altered", &service, (method, &altered), &[], "")
            .await;
        // A GET is followed by a HEAD.
        service.room.memory.fail("load", Fault::Panic);
        service.room.memory.fail("load", Fault::Panic);
        record.request("a panic", &service, route, &[], "").await;
        service.room.memory.calm();
        service.room.memory.meanwhile("load", |jobs| {
            for job in jobs.values_mut() {
                job.created_at = job.created_at.after(std::time::Duration::from_millis(1));
            }
        });
        record
            .request("another incarnation", &service, route, &[], "")
            .await;
        service.room.memory.meanwhile("load", |jobs| {
            for job in jobs.values_mut() {
                job.created_at = job.created_at.before(std::time::Duration::from_millis(1));
            }
        });
        common(record, &service, route).await;
    }
}

async fn common(record: &mut Record, service: &Service, (method, path): (&str, &str)) {
    let route = (method, path);
    for condition in ["\"stale\"", "x"] {
        let headers = [BRIEF, ("if-match", condition)];
        let situation = format!("if-match: {condition}");
        record
            .request(&situation, service, route, &headers, "")
            .await;
    }
    service.room.memory.down(&["load", "change"]);
    record
        .request("without its services", service, route, &[], "")
        .await;
    service.room.memory.calm();
    record
        .request("another method", service, ("PUT", path), &[], "")
        .await;
    record
        .request("which methods", service, ("OPTIONS", path), &[], "")
        .await;
    let preflight = [("access-control-request-method", method)];
    record
        .request("preflight", service, ("OPTIONS", path), &preflight, "")
        .await;
}
