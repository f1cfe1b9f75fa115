use super::*;

#[test]
fn only_hypers_own_answers_are_replaced() {
    let own = "HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
    assert_eq!(
        refusal(own.as_bytes()),
        Some(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE)
    );
    for other in [
        "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\ndate: Sat, 28 Nov 2026 08:00:00 GMT\r\n\r\n",
        "HTTP/1.1 400 Bad Request\r\ncontent-length: 2\r\n\r\n{}",
        "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 100 Continue\r\n\r\n",
        "",
    ] {
        assert_eq!(refusal(other.as_bytes()), None, "{other}");
    }
}

#[test]
fn the_path_is_that_of_the_request_if_it_can_be_known() {
    for (start, want) in [
        (
            "GET /jobs?client_job_id=\"k\" HTTP/1.1\r\nHost: x\r\n",
            Some(("GET", "/jobs")),
        ),
        (
            "HEAD /openapi.json HTTP/1.1\r\n",
            Some(("HEAD", "/openapi.json")),
        ),
        ("GET /jobs?a=b", Some(("GET", "/jobs"))),
        ("GET /a/very/long/path/that/was/cut/of", None),
        ("GET /\"x HTTP/1.1\r\n", None),
        ("GET http://x/jobs HTTP/1.1\r\n", None),
        ("{\"a\": \"b c\"}", None),
        ("", None),
    ] {
        assert_eq!(request_line(start.as_bytes()), want, "{start}");
    }
}

#[test]
fn an_answer_to_head_has_the_length_and_no_body() {
    let response = || {
        Response::builder()
            .status(414)
            .header("x-a", "b")
            .body(Full::from("{}"))
            .expect("a response")
    };
    assert_eq!(
        encode(response(), true),
        "HTTP/1.1 414 URI Too Long\r\nx-a: b\r\ncontent-length: 2\r\n\r\n{}"
    );
    assert_eq!(
        encode(response(), false),
        "HTTP/1.1 414 URI Too Long\r\nx-a: b\r\ncontent-length: 2\r\n\r\n"
    );
}
