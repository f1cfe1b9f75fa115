//! Places of errors, byte order marks, encodings, and whole numbers.

use proptest::prelude::*;

use super::*;

fn malformed(body: &[u8]) -> (usize, usize, String) {
    match text(body) {
        Err(PayloadError::Malformed {
            line,
            column,
            detail,
        }) => (line, column, detail),
        other => panic!("not rejected as malformed: {other:?}"),
    }
}

fn place(body: &[u8]) -> (usize, usize) {
    let (line, column, _) = malformed(body);
    (line, column)
}

#[test]
fn lines_and_columns_count_from_one_and_columns_count_characters() {
    for (body, at) in [
        ("", (1, 1)),
        ("{", (1, 1)),
        ("{\n", (2, 1)),
        ("{\r\n\n", (3, 1)),
        ("x", (1, 1)),
        ("{} {}", (1, 4)),
        ("{\"message\":\"日本語\", x}", (1, 19)),
        ("{\"a\":\"😀\",\n\"ß\": é}", (2, 6)),
        ("日", (1, 1)),
        ("{\"日本", (1, 4)),
    ] {
        assert_eq!(place(body.as_bytes()), at, "{body:?}");
        assert_eq!(
            place(format!("\u{feff}{body}").as_bytes()),
            at,
            "{body:?} after a byte order mark"
        );
    }
}

#[test]
fn a_byte_order_mark_is_skipped_at_the_beginning_alone() {
    assert_eq!(text("\u{feff}{}".as_bytes()), Ok("{}"));
    assert_eq!(place("\u{feff}\u{feff}{}".as_bytes()), (1, 1));
    assert_eq!(place("{\u{feff}}".as_bytes()), (1, 2));
}

#[test]
fn bytes_that_are_not_utf_8_are_named() {
    let utf_16 = |bytes: fn(u16) -> [u8; 2]| {
        "{\"a\":1}"
            .encode_utf16()
            .flat_map(bytes)
            .collect::<Vec<_>>()
    };
    let (le, be) = (utf_16(u16::to_le_bytes), utf_16(u16::to_be_bytes));
    for body in [
        &le[..],
        &be,
        &[&[0xff, 0xfe], &le[..]].concat(),
        &[&[0xfe, 0xff], &be[..]].concat(),
    ] {
        assert_eq!(
            malformed(body),
            (1, 1, "the bytes are UTF-16; send UTF-8".to_owned())
        );
    }
    for body in [
        &b"{\0\0\0}\0\0\0"[..],
        b"\0\0\0{\0\0\0}",
        b"\xff\xfe\0\0{\0\0\0}\0\0\0",
        b"\0\0\xfe\xff\0\0\0{\0\0\0}",
    ] {
        assert_eq!(malformed(body).2, "the bytes are UTF-32; send UTF-8");
    }
    let latin_1 = b"{\n\"\xc3\xa9\":\"caf\xe9\"}";
    assert_eq!(
        malformed(latin_1),
        (2, 9, "the byte 0xe9 is not UTF-8; send UTF-8".to_owned())
    );
}

#[test]
fn a_number_that_no_double_holds_is_json_and_is_told_by_its_pointer() {
    match text(br#"{"a":[1,{"b/c":-1e999}]}"#) {
        Err(PayloadError::Invalid(errors)) => assert_eq!(errors[0].pointer, "/a/1/b~1c"),
        other => panic!("not rejected as invalid: {other:?}"),
    }
}

#[test]
fn a_whole_number_is_written_without_fraction_and_exponent() {
    for (number, expected) in [
        ("1.0", "1"),
        ("-1.0", "-1"),
        ("1e1", "10"),
        ("1E+2", "100"),
        ("10e-1", "1"),
        ("12.50e1", "125"),
        ("0.5e1", "5"),
        ("0.05e2", "5"),
        ("-0", "0"),
        ("-0.0e5", "0"),
        ("0.000", "0"),
        ("9007199254740993.0", "9007199254740993"),
        ("1844674407370955161.5e1", "18446744073709551615"),
        ("100e-2", "1"),
    ] {
        assert_eq!(whole(number).as_deref(), Some(expected), "{number}");
    }
    for number in [
        "0",
        "1",
        "-1",
        "100",
        "1.5",
        "1e-1",
        "0.1",
        "1e20",
        "1e999999999999999999999",
        "1e-99999999999",
    ] {
        assert_eq!(whole(number), None, "{number}");
    }
}

#[test]
fn a_number_in_a_query_is_written_as_in_json() {
    for (text, number) in [
        ("7", Some(7)),
        ("7.0", Some(7)),
        ("1e2", Some(100)),
        ("-0", Some(0)),
    ] {
        assert_eq!(unsigned(text), number, "{text}");
    }
    for text in ["", "x", "-1", "1.5", "+1", "01", " 1", "1 ", "1e30"] {
        assert_eq!(unsigned(text), None, "{text}");
    }
}

#[test]
fn only_numbers_are_written_anew() {
    let text = r#"{"1.0":"1.0 \" 1.0","a":[1.0,2,-0,1.5,"\\"],"b":1e1,"c":1.0E+2}"#;
    let whole = r#"{"1.0":"1.0 \" 1.0","a":[1,2,0,1.5,"\\"],"b":10,"c":100}"#;
    assert_eq!(with_whole_numbers(text).as_deref(), Some(whole));
    assert_eq!(with_whole_numbers("1.0").as_deref(), Some("1"));
    assert_eq!(with_whole_numbers(r#"{"a":["1.0",1]}"#), None);
}

proptest! {
    #[test]
    fn a_whole_number_is_the_same_number(mantissa in any::<i64>(), shift in 0_usize..18) {
        let digits = mantissa.unsigned_abs().to_string();
        let sign = if mantissa < 0 { "-" } else { "" };
        let (integer, fraction) = digits.split_at(digits.len() - shift.min(digits.len() - 1));
        let number = format!("{sign}{integer}.{fraction}0e{}", fraction.len());
        prop_assert_eq!(whole(&number), Some(mantissa.to_string()), "{}", number);
    }

    #[test]
    fn any_bytes_are_rejected_with_a_place_that_is_there(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
        if let Err(PayloadError::Malformed { line, column, .. }) = text(&bytes) {
            let text = String::from_utf8_lossy(&bytes);
            let lines: Vec<_> = text.split('\n').collect();
            prop_assert!((1..=lines.len()).contains(&line), "line {} of {:?}", line, text);
            prop_assert!((1..=lines[line - 1].chars().count() + 1).contains(&column), "column {} of {:?}", column, text);
        }
    }
}
