use super::*;

/// Stream with each field, each line end, comments and a character of several bytes.
const STREAM: &str = "\u{feff}retry: 1500\n: a comment\r\n\r\nevent: job\rid: 4\rdata: {\"a\":\rdata:\"ü\"}\r\r\ndata\n\n\nid\ndata:  two\n\nevent: x\nid: 9\n\ndata: never ended";

fn event(kind: &str, id: &str, data: &str) -> Event {
    Event {
        kind: kind.to_owned(),
        id: id.to_owned(),
        data: data.to_owned(),
    }
}

fn events(stream: &str) -> Vec<Event> {
    Parser::default().parse(stream.as_bytes()).expect("small")
}

#[test]
fn an_event_has_its_type_its_id_and_its_lines_of_data() {
    assert_eq!(
        events(STREAM),
        [
            event("job", "4", "{\"a\":\n\"ü\"}"),
            event("message", "4", ""),
            event("message", "", " two"),
        ]
    );
}

#[test]
fn a_chunk_may_end_anywhere() {
    let whole = events(STREAM);
    for end in 0..=STREAM.len() {
        let mut parser = Parser::default();
        let (before, after) = STREAM.as_bytes().split_at(end);
        let mut parts = parser.parse(before).expect("small");
        parts.extend(parser.parse(after).expect("small"));
        assert_eq!(parts, whole, "split at {end}");
    }
    let mut parser = Parser::default();
    let by_bytes: Vec<_> = STREAM
        .bytes()
        .flat_map(|byte| parser.parse(&[byte]).expect("small"))
        .collect();
    assert_eq!(by_bytes, whole);
}

#[test]
fn an_event_ends_before_the_line_feed_of_its_last_line_end() {
    let mut parser = Parser::default();
    let first = parser.parse(b"data: 1\r\n\r").expect("small");
    assert_eq!(first, [event("message", "", "1")]);
    let second = parser.parse(b"\ndata: 2\r\n\r\n").expect("small");
    assert_eq!(second, [event("message", "", "2")]);
}

#[test]
fn an_id_counts_for_the_events_after_it_even_without_data() {
    assert_eq!(
        events("id: 7\n\ndata: 1\n\nid: 8\0\ndata: 2\n\n"),
        [event("message", "7", "1"), event("message", "7", "2")]
    );
}

#[test]
fn only_the_first_line_may_begin_with_a_byte_order_mark() {
    assert_eq!(events("\u{feff}\u{feff}data: 1\n\n"), []);
    assert_eq!(events("\n\u{feff}data: 1\n\n"), []);
}

#[test]
fn a_delay_is_set_by_digits_alone() {
    for (stream, retry) in [
        ("retry: 20\n", Some(20)),
        ("retry: 20\nretry: 1s\nretry: -1\nretry\n", Some(20)),
        ("retry: 99999999999999999999\n", None),
        ("data: 20\n\n", None),
    ] {
        let mut parser = Parser::default();
        parser.parse(stream.as_bytes()).expect("small");
        assert_eq!(parser.retry(), retry.map(Duration::from_millis), "{stream}");
    }
}

#[test]
fn what_is_not_utf_8_is_replaced() {
    let events = Parser::default().parse(b"data: \xff!\n\n");
    assert_eq!(events, Ok(vec![event("message", "", "\u{fffd}!")]));
}

#[test]
fn an_event_has_at_most_1_mib() {
    let line = |bytes: usize| format!("data:{}\n", "x".repeat(bytes - 5));
    let mut parser = Parser::default();
    let whole = line(MOST_BYTES) + "\n";
    assert_eq!(parser.parse(whole.as_bytes()).expect("fits").len(), 1);
    assert_eq!(parser.parse(line(MOST_BYTES + 1).as_bytes()), Err(TooLarge));
    // The limit counts all lines of an event, and no earlier event.
    let mut parser = Parser::default();
    for _ in 0..3 {
        let halves = line(MOST_BYTES / 2) + "data: y\n\n";
        assert_eq!(parser.parse(halves.as_bytes()).expect("fits").len(), 1);
    }
    let lines = line(MOST_BYTES / 2).repeat(3);
    assert_eq!(parser.parse(lines.as_bytes()), Err(TooLarge));
}
