//! Section 4: the page for a person.

use std::time::Duration;

use axum::body::Body;

use crate::service::service;

const BROWSER: (&str, &str) = (
    "accept",
    "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
);

#[tokio::test(start_paused = true)]
async fn a_person_sees_a_page_with_the_status_that_a_program_gets() {
    for (act, status, text) in [
        ("answer", 200, "Get the result"),
        ("answer", 200, "<section id=\"result\">"),
        ("large", 200, "<section id=\"result\">"),
        ("nothing", 200, "<section id=\"result\" hidden>"),
        ("nothing", 200, "Done"),
        ("fail", 400, "the printer is out of paper"),
        ("refuse", 422, "&lt;b&gt;no&lt;/b&gt;"),
    ] {
        let service = service();
        let location = service.finished_job(act).await;
        let (page, document) = (
            service.get(&location, &[BROWSER]).await,
            service.get(&location, &[]).await,
        );
        assert_eq!(
            (page.status, page.header("content-type")),
            (status, "text/html; charset=utf-8")
        );
        assert!(page.text().contains(text), "{}", page.text());
        assert!(
            !page.text().contains("http-equiv"),
            "the page of a finished job is not loaded again"
        );
        assert_eq!(
            page.header("etag"),
            format!("{}-h\"", document.header("etag").trim_end_matches('"'))
        );
        assert_eq!(page.header("vary"), "Accept, Prefer");
    }
}

#[tokio::test(start_paused = true)]
async fn the_page_of_a_running_job_follows_it_with_script_and_without() {
    let service = service();
    let (location, work) = service.running_job("nap").await;
    let page = service.get(&location, &[BROWSER]).await;
    assert_eq!(page.status, 202);
    let document = service.get(&location, &[]).await;
    let refresh = format!(
        "<noscript><meta http-equiv=\"refresh\" content=\"{}\"></noscript>",
        document.header("retry-after")
    );
    assert!(page.text().contains(&refresh), "{}", page.text());
    assert!(page.text().contains("resizing &lt;17&gt; of 40") && !page.text().contains("<17>"));
    insta::assert_snapshot!(shown(page.text()));
    work.abort();
}

/// Returns a page without its style and its script, an element per line.
fn shown(page: &str) -> String {
    let (head, rest) = page.split_once("<style>").expect("a style");
    let (_, rest) = rest.split_once("</style>").expect("its end");
    let (body, _) = rest.split_once("<script>").expect("a script");
    format!("{head}{body}").replace("><", ">\n<")
}

#[tokio::test(start_paused = true)]
async fn the_page_of_a_job_shows_its_status() {
    let mut pages = vec![];
    let accepted = service();
    let response = accepted.act("answer", &[]).await;
    let location = response.header("location");
    pages.push(accepted.get(location, &[BROWSER]).await);
    let retrying = service();
    let (location, work) = retrying.running_job("stumble").await;
    pages.push(retrying.get(&location, &[BROWSER]).await);
    work.abort();
    let cancelling = service();
    let (location, work) = cancelling.running_job("nap").await;
    cancelling
        .request("DELETE", &location, &[], Body::empty())
        .await;
    pages.push(cancelling.get(&location, &[BROWSER]).await);
    work.await.expect("the work ends");
    pages.push(cancelling.get(&location, &[BROWSER]).await);
    for act in ["answer", "fail"] {
        let finished = service();
        let location = finished.finished_job(act).await;
        pages.push(finished.get(&location, &[BROWSER]).await);
    }
    let pages: Vec<_> = pages.iter().map(|page| shown(page.text())).collect();
    insta::assert_snapshot!(pages.join("\n\n"));
}

#[tokio::test(start_paused = true)]
async fn without_script_the_page_is_loaded_again_within_5_seconds() {
    let service = service();
    let location = service.accepted_job("answer", &[]).await;
    for (age, advice, refresh) in [(0, "1", "1"), (20, "4", "4"), (280, "30", "5")] {
        tokio::time::sleep(Duration::from_secs(age)).await;
        let page = service.get(&location, &[BROWSER]).await;
        assert_eq!(page.header("retry-after"), advice);
        assert!(
            page.text()
                .contains(&format!("http-equiv=\"refresh\" content=\"{refresh}\"")),
            "{}",
            page.text()
        );
    }
}

#[tokio::test(start_paused = true)]
async fn the_title_has_the_progress_or_the_status_of_the_job() {
    for (act, title) in [
        ("nap", "43 % – act"),
        ("stumble", "Waiting for the next attempt – act"),
        ("nothing", "Done – act"),
    ] {
        let service = service();
        let (location, work) = service.running_job(act).await;
        let page = service.get(&location, &[BROWSER]).await;
        assert!(
            page.text().contains(&format!("<title>{title}</title>")),
            "{}",
            page.text()
        );
        work.abort();
    }
}

#[tokio::test(start_paused = true)]
async fn the_policy_lets_nothing_run_but_the_pages_own_script_and_style() {
    let service = service();
    let location = service.accepted_job("answer", &[]).await;
    let page = service.get(&location, &[BROWSER]).await;
    page.check_policy();
    assert!(!page.text().contains("style=") && !page.text().contains("onclick="));
}

#[tokio::test(start_paused = true)]
async fn the_script_finds_every_element_it_names() {
    let service = service();
    let location = service.accepted_job("answer", &[]).await;
    let page = service.get(&location, &[BROWSER]).await;
    let script = include_str!("../../src/page/follow.js");
    let literals = script.match_indices('(').filter_map(|(at, _)| {
        let called = ["part", "say", "reveal"]
            .iter()
            .any(|name| script[..at].ends_with(name));
        let name = script[at + 1..]
            .strip_prefix('"')
            .and_then(|rest| rest.split('"').next());
        name.filter(|_| called)
    });
    let dates = script
        .match_indices("date(\"")
        .filter_map(|(at, call)| script[at + call.len()..].split('"').next());
    let mut names: Vec<_> = dates
        .flat_map(|name| [name.to_owned(), format!("{name}-row")])
        .collect();
    names.extend(literals.map(ToOwned::to_owned));
    assert!(names.len() > 20, "{names:?}");
    for name in names {
        assert_eq!(
            page.text().matches(&format!("id=\"{name}\"")).count(),
            1,
            "{name}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn success_with_a_resource_forwards_a_person_there() {
    let service = service();
    let location = service.finished_job("resource").await;
    let page = service
        .get(&location, &[BROWSER, ("if-none-match", "*")])
        .await;
    assert_eq!((page.status, page.header("location")), (303, "/reports/7"));
    assert_eq!(service.get(&location, &[]).await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn a_page_that_the_browser_has_is_not_sent_again() {
    let service = service();
    let location = service.accepted_job("answer", &[]).await;
    let (page, document) = (
        service.get(&location, &[BROWSER]).await,
        service.get(&location, &[]).await,
    );
    assert_eq!(
        service
            .get(
                &location,
                &[BROWSER, ("if-none-match", page.header("etag"))]
            )
            .await
            .status,
        304
    );
    assert_eq!(
        service
            .get(
                &location,
                &[BROWSER, ("if-none-match", document.header("etag"))]
            )
            .await
            .status,
        202
    );
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_job_and_one_that_is_being_cancelled_have_pages() {
    let service = service();
    let (location, work) = service.running_job("nap").await;
    service
        .request("DELETE", &location, &[], Body::empty())
        .await;
    let page = service.get(&location, &[BROWSER]).await;
    assert!(page.text().contains("Cancelling") && page.text().contains("aria-disabled=\"true\""));
    assert!(
        !page.text().contains("resizing"),
        "messages of a running job are removed"
    );
    work.await.expect("the work ends");
    let page = service.get(&location, &[BROWSER]).await;
    assert_eq!(page.status, 410);
    assert!(page.text().contains("Cancelled"));
}
