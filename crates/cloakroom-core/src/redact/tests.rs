use super::{causes, text, url};

#[test]
fn credentials_and_the_query_of_a_url_are_removed() {
    let cases = [
        (
            "http://user:secret@host:9000/stage",
            "http://***@host:9000/stage",
        ),
        ("http://secret@host", "http://***@host"),
        ("http://user:se@cret@host/", "http://***@host/"),
        (
            "https://bucket/key?X-Amz-Signature=secret",
            "https://bucket/key?***",
        ),
        ("http://user:secret@[::1]:9000/", "http://***@[::1]:9000/"),
        ("/bucket/key?X-Amz-Signature=secret", "/bucket/key?***"),
    ];
    for (given, want) in cases {
        assert_eq!(url(given), want);
    }
}

#[test]
fn a_password_that_makes_a_url_malformed_is_removed() {
    let malformed = [
        "http://user:se/cret@host",
        "http://user:se?cret@host",
        "http://user:se#cret@host",
        "user:secret@host",
        "http://user:se cret@host",
    ];
    for given in malformed {
        let shown = url(given);
        assert!(
            !shown.contains("cret") && shown.ends_with("@host"),
            "{given}: {shown}"
        );
    }
}

#[test]
fn a_url_without_credentials_stays_as_it_is() {
    for given in [
        "http://host:9000/a@b",
        "http://[::1]:9000/a",
        "https://host",
        "http://host/jobs#a",
    ] {
        assert_eq!(url(given), given);
    }
}

#[test]
fn a_text_loses_the_credentials_of_each_url_and_nothing_else() {
    let given = "no answer (http://user:secret@host: refused); \"https://b/k?X-Amz-Signature=secret\" and /k?X-Amz-Date=secret; \
                 me@home: what? 'a'\n";
    let want =
        "no answer (http://***@host: refused); \"https://b/k?***\" and /k?*** me@home: what? 'a'\n";
    assert_eq!(text(given), want);
}

#[test]
fn a_signed_link_is_known_by_any_word_of_its_signature_wherever_it_stands() {
    for given in [
        "/k?a=b&X-Amz-Signature=secret",
        "/k?a=b&Signature=secret",
        "/k?a=b&X-Amz-Date=secret",
        "/k?Signature=secret",
        "/k?SIGNATURE=secret",
        "/k?x-amz-security-token=secret",
    ] {
        assert_eq!(text(given), "/k?***", "{given}");
    }
    for given in ["/k?a=b", "/k?signed=no", "x-amz-date=1", "signature=1"] {
        assert_eq!(text(given), given);
    }
}

#[test]
fn without_a_scheme_everything_before_an_at_sign_may_be_a_password() {
    assert_eq!(url("se/cret@host"), "***@host");
    assert_eq!(url("http://host/a@b"), "http://host/a@b");
}

#[test]
fn a_port_is_of_digits_alone() {
    assert_eq!(url("http://user:1secret/a@host"), "http://***@host");
    assert_eq!(url("http://host:1/a@b"), "http://host:1/a@b");
    assert_eq!(url("http://user:secret1/a@host"), "http://***@host");
}

#[test]
fn an_error_is_one_line_with_its_causes_and_no_credentials() {
    #[derive(Debug, thiserror::Error)]
    #[error("connect to the database")]
    struct Outer(#[source] Inner);
    #[derive(Debug, thiserror::Error)]
    #[error("no route\nto postgres://orders:secret@db.example/orders")]
    struct Inner;
    assert_eq!(
        causes(&Outer(Inner)),
        "connect to the database: no route to postgres://***@db.example/orders"
    );
}
