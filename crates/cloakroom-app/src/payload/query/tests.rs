//! Parameters that are numbers, booleans and names.

use serde::Deserialize;

use super::*;

#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
struct Parameters {
    width: Option<u16>,
    left: Option<i8>,
    scale: Option<f64>,
    small: Option<f32>,
    grey: bool,
    name: String,
    kind: Option<Kind>,
    pages: Option<Pages>,
}

#[derive(Debug, PartialEq, Deserialize)]
struct Pages(u8);

#[derive(Debug, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Wide,
}

fn read(query: &str) -> Result<Parameters, String> {
    Parameters::deserialize(parameters(query)).map_err(|error| error.to_string())
}

#[test]
fn parameters_are_read_as_their_types() {
    let query =
        "width=200&left=-3&scale=1.5e1&small=1&grey=true&name=a+%26+1.0&kind=wide&pages=7&other=x";
    let expected = Parameters {
        width: Some(200),
        left: Some(-3),
        scale: Some(15.0),
        small: Some(1.0),
        grey: true,
        name: "a & 1.0".to_owned(),
        kind: Some(Kind::Wide),
        pages: Some(Pages(7)),
    };
    assert_eq!(read(query), Ok(expected));
    assert_eq!(read(""), Ok(Parameters::default()));
    assert_eq!(read("grey=false"), Ok(Parameters::default()));
}

#[test]
fn a_whole_number_may_be_written_with_a_fraction_or_an_exponent() {
    for text in ["200", "200.0", "2e2", "2E%2B2", "2000e-1"] {
        assert_eq!(
            read(&format!("width={text}")).map(|it| it.width),
            Ok(Some(200)),
            "{text}"
        );
    }
}

#[test]
fn numbers_are_those_of_json() {
    for text in [
        "", "x", "1.5", "%2B1", "01", "1.", ".5", " 1", "1%20", "0x1", "1e-1", "1_0", "null",
    ] {
        assert!(read(&format!("width={text}")).is_err(), "{text}");
    }
    for text in ["", "nan", "inf", "-infinity", "1e999", ".5", "5.", "+1"] {
        assert!(read(&format!("scale={text}")).is_err(), "{text}");
    }
    assert_eq!(
        read("width=70000"),
        Err("must be a smaller number".to_owned())
    );
    assert_eq!(read("left=-129"), Err("must be a larger number".to_owned()));
    assert_eq!(read("grey=1"), Err("must be true or false".to_owned()));
}
