//! Given the outcome of a handler, when it is recorded, then it is within its bounds and safe to show.

use super::*;

#[test]
fn a_resource_is_a_path_of_this_site_or_a_web_address() {
    let longest = format!("/{}", "a".repeat(2047));
    for good in [
        "/",
        "/reports/7",
        "/reports//7",
        "/a?b=c&d=//e#f",
        "/~!@$%^*()[]{}|;:'\",.<>`",
        "http://a",
        "https://a",
        "https://example.com/a?b#c",
        "https://example.com\\a",
        &longest,
    ] {
        assert_eq!(
            Resource::parse(good).as_ref().map(Resource::as_str),
            Ok(good)
        );
    }
}

#[test]
fn a_resource_that_leads_elsewhere_or_runs_something_is_rejected() {
    let too_long = format!("/{}", "a".repeat(2048));
    let too_long_url = format!("https://{}", "a".repeat(2048));
    for bad in [
        "",
        "//example.com",
        "//example.com/a",
        "///example.com",
        "/\\example.com",
        "\\\\example.com",
        "\\/example.com",
        "/a\\b",
        "reports/7",
        "./a",
        "?a",
        "#a",
        "javascript:alert(1)",
        "data:text/html,a",
        "ftp://example.com",
        "http:",
        "http:/",
        "http://",
        "https://",
        "HTTP://example.com",
        " /a",
        "/a b",
        "/a\n",
        "/a\r\nset-cookie: b",
        "/\t/example.com",
        "/a\0",
        "/a\u{7f}",
        "/é",
        "https://exämple.com",
        "x/a",
        "xhttps://example.com",
        &too_long,
        &too_long_url,
    ] {
        assert!(Resource::parse(bad).is_err(), "{bad:?}");
    }
    let rule = Resource::parse("").expect_err("no resource").to_string();
    assert!(rule.contains("2048 visible ASCII characters"), "{rule}");
}

#[test]
fn a_failure_says_something_in_2048_bytes() {
    assert_eq!(Failure::DETAIL_LIMIT, 2048);
    let failure = |detail: &str| Failure::new(detail).detail;
    assert_eq!(failure("out of paper"), "out of paper");
    for blank in ["", " ", "\n\t "] {
        assert_eq!(failure(blank), "no reason was given");
    }
    let longest = "a".repeat(2048);
    assert_eq!(failure(&longest), longest);
    assert_eq!(failure(&format!("{longest}b")), longest);
    // Two bytes each, and one at the beginning: the last character would be cut in two.
    assert_eq!(
        failure(&format!("a{}", "é".repeat(2048))),
        format!("a{}", "é".repeat(1023))
    );
}

#[test]
fn a_failure_of_the_service_has_its_own_code() {
    let (own, service) = (
        Failure::new("no"),
        Failure::unavailable("the table is away"),
    );
    assert_eq!((own.code.as_str(), own.status), ("job-failed", 400));
    assert_eq!(
        (service.code.as_str(), service.status),
        ("storage-unavailable", 400)
    );
    assert_eq!(service.detail, "the table is away");
}

#[test]
fn a_code_is_a_kebab_case_word_of_at_most_64_characters() {
    let longest = "a".repeat(64);
    for good in ["a", "0", "-", "no-paper-2", "az09-", &longest] {
        assert_eq!(Failure::new("no").with_code(good).code, good);
    }
    let too_long = "a".repeat(65);
    for bad in [
        "", "A", "no paper", "no_paper", "é", "a.b", "a/b", "a{", "a`", "a:", &too_long,
    ] {
        assert_eq!(
            Failure::new("no").with_code("before").with_code(bad).code,
            "before",
            "{bad:?}"
        );
    }
}

#[test]
fn a_status_tells_of_a_failed_job_if_it_asks_for_nothing() {
    let may: Vec<u16> = (0..=1000)
        .filter(|status| Failure::may_be_answered(*status))
        .collect();
    let excepted = [401, 405, 407, 408, 425, 426, 429];
    let want: Vec<u16> = (400..=499)
        .filter(|status| !excepted.contains(status))
        .collect();
    assert_eq!(may, want);
    for status in 399..=500 {
        let recorded = Failure::new("no")
            .with_status(409)
            .with_status(status)
            .status;
        assert_eq!(recorded, if want.contains(&status) { status } else { 409 });
    }
}

#[test]
fn a_text_is_cut_at_the_end_of_a_character() {
    for (text, limit, cut_to) in [
        ("abc", 3, "abc"),
        ("abc", 2, "ab"),
        ("abc", 0, ""),
        ("aé", 2, "a"),
        ("aé", 3, "aé"),
        ("", 0, ""),
    ] {
        assert_eq!(cut(text.to_owned(), limit), cut_to, "{text} {limit}");
    }
}

#[test]
fn a_result_in_the_record_is_of_at_most_32_kib_and_goes_with_it() {
    assert_eq!(INLINE_RESULT_LIMIT, 32_768);
    let inline = ResultRef::Inline {
        content_type: "text/plain".into(),
        bytes: vec![],
    };
    assert_eq!(
        (inline.retention(), inline.content_type()),
        (None, "text/plain")
    );
    let hour = Some(Duration::from_secs(3600));
    for retention in [None, hour] {
        let stored = ResultRef::Stored {
            content_type: "image/png".into(),
            key: "k".into(),
            length: 1,
            sha256: Digest::from_content(b"x"),
            retention,
        };
        assert_eq!(
            (stored.retention(), stored.content_type()),
            (retention, "image/png")
        );
    }
}
