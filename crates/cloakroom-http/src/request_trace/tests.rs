use http::HeaderValue;

use super::*;

const SENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const XRAY: &str = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1";

fn request_trace(headers: &[(&'static str, &str)]) -> RequestIds {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.append(*name, HeaderValue::from_str(value).expect("a header"));
    }
    RequestIds::from_headers(&map)
}

#[test]
fn a_request_belongs_to_the_trace_that_it_names_else_to_xrays_else_to_a_new_one() {
    let named = request_trace(&[("traceparent", SENT), ("x-amzn-trace-id", XRAY)]);
    assert_eq!(named.context.as_str(), SENT);
    let of_xray = request_trace(&[("traceparent", "junk"), ("x-amzn-trace-id", XRAY)]);
    assert_eq!(
        of_xray.context.as_str(),
        "00-5759e988bd862e3fe1be46a994272793-53995c3f42cd8ad8-01"
    );
    let (one, other) = (
        request_trace(&[]),
        request_trace(&[("x-amzn-trace-id", "junk")]),
    );
    assert_ne!(one.context.trace_id(), other.context.trace_id());
    let twice = request_trace(&[("traceparent", SENT), ("traceparent", SENT)]);
    assert_ne!(
        twice.context.as_str(),
        SENT,
        "which of them counts is not known"
    );
}

#[test]
fn xrays_header_goes_along_as_far_as_it_is_understood() {
    let lineage = "Lineage=1:a87bd80c:0|68fd508a:5";
    for (sent, carried) in [
        (XRAY, Some(XRAY)),
        (
            "Root=1-5759e988-bd862e3fe1be46a994272793",
            Some("Root=1-5759e988-bd862e3fe1be46a994272793"),
        ),
        (
            &format!("Self=1-67891234-12456789abcdef012345678; {XRAY} ;{lineage}"),
            Some(format!("{XRAY};{lineage}").as_str()),
        ),
        (
            "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=x;Sampled=?;Lineage=\"",
            Some("Root=1-5759e988-bd862e3fe1be46a994272793"),
        ),
        (
            "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=0000000000000000",
            Some("Root=1-5759e988-bd862e3fe1be46a994272793"),
        ),
        (
            "Sampled=0;Root=1-5759e988-bd862e3fe1be46a994272793",
            Some("Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=0"),
        ),
        ("Parent=53995c3f42cd8ad8;Sampled=1", None),
        ("Root=2-5759e988-bd862e3fe1be46a994272793", None),
        ("Root=1-5759E988-bd862e3fe1be46a994272793", None),
        ("Root=1-00000000-000000000000000000000000", None),
        ("", None),
    ] {
        assert_eq!(
            request_trace(&[("x-amzn-trace-id", sent)])
                .envelope_trace()
                .xray
                .as_deref(),
            carried,
            "{sent}"
        );
    }
}

#[test]
fn an_unsampled_trace_stays_unsampled_and_a_missing_parent_is_random() {
    let unsampled = request_trace(&[("x-amzn-trace-id", &XRAY.replace("Sampled=1", "Sampled=0"))]);
    assert_eq!(
        unsampled.context.as_str(),
        "00-5759e988bd862e3fe1be46a994272793-53995c3f42cd8ad8-00"
    );
    let root = &XRAY[..40];
    for undecided in [root, &XRAY.replace("Sampled=1", "Sampled=?")] {
        let context = request_trace(&[("x-amzn-trace-id", undecided)]).context;
        assert!(context.as_str().ends_with("-00"), "{undecided}");
    }
    let (one, other) = (
        request_trace(&[("x-amzn-trace-id", root)]).context,
        request_trace(&[("x-amzn-trace-id", root)]).context,
    );
    assert_eq!(one.trace_id(), "5759e988bd862e3fe1be46a994272793");
    let zeros = format!("{root};Parent=0000000000000000");
    let zeros = request_trace(&[("x-amzn-trace-id", &zeros)]).context;
    assert_eq!(one.trace_id(), zeros.trace_id());
    assert_eq!(one.trace_id(), other.trace_id());
    assert_ne!(one, other);
}

#[test]
fn a_tracestate_goes_along_with_its_traceparent_if_it_is_no_longer_than_must_be() {
    let state =
        |headers: &[(&'static str, &str)]| request_trace(headers).envelope_trace().tracestate;
    let two = [
        ("traceparent", SENT),
        ("tracestate", "rojo=00f067aa0ba902b7"),
        ("tracestate", "congo=t61rcWkgMzE"),
    ];
    assert_eq!(
        state(&two).as_deref(),
        Some("rojo=00f067aa0ba902b7,congo=t61rcWkgMzE")
    );
    assert_eq!(state(&two[1..]), None, "it is of no trace that is known");
    for (length, carried) in [(0, false), (512, true), (513, false)] {
        let text = "x".repeat(length);
        assert_eq!(
            state(&[("traceparent", SENT), ("tracestate", &text)]).is_some(),
            carried,
            "{length}"
        );
    }
}

#[test]
fn a_request_keeps_its_own_id_if_it_is_fit_to_log() {
    let of = |value: &[u8]| {
        let mut headers = HeaderMap::new();
        headers.insert(
            "x-request-id",
            HeaderValue::from_bytes(value).expect("a header"),
        );
        RequestIds::from_headers(&headers).request_id
    };
    assert_eq!(of(b"abc-1"), "abc-1");
    assert_eq!(of(&[b'a'; 128]), "a".repeat(128));
    for bad in [&b""[..], b"a b", &[b'a'; 129], b"\xc3\xa9"] {
        assert_eq!(of(bad).len(), 36);
    }
}
