//! Valid and invalid values of options.

use super::*;

#[test]
fn numbers_are_written_in_several_ways() {
    for (text, want) in [
        ("5e6", 5e6),
        ("5M", 5e6),
        ("5_000_000", 5e6),
        ("2.5k", 2500.0),
        ("1", 1.0),
        ("1G", 1e9),
    ] {
        assert_eq!(jobs(text), Ok(want), "{text}");
    }
    assert_eq!(
        (polls("0"), polls("2.5"), batch("10"), attempts("1.05")),
        (Ok(0.0), Ok(2.5), Ok(10.0), Ok(1.05))
    );
    assert_eq!(
        (memory("256"), memory("256MB"), progress("3")),
        (Ok(256), Ok(256), Ok(3))
    );
}

#[test]
fn sizes_and_times_have_units() {
    let sizes = [
        ("512", 512),
        ("0", 0),
        ("40KiB", 40_960),
        ("1MB", 1_000_000),
        ("1.5KiB", 1536),
        ("64MiB", 67_108_864),
    ];
    for (text, want) in sizes {
        assert_eq!(payload(text), Ok(want), "{text}");
    }
    for (text, want) in [
        ("800ms", 800),
        ("2s", 2000),
        ("1m", 60_000),
        ("0.5s", 500),
        ("15m", 900_000),
    ] {
        assert_eq!(duration(text), Ok(Duration::from_millis(want)), "{text}");
    }
    assert_eq!(wait("0s"), Ok(Duration::ZERO));
}

#[test]
fn nonsense_is_refused_by_what_would_be_right() {
    let nonsense = [
        "", " ", "-1", "-5e6", "NaN", "nan", "inf", "-inf", "infinity", "1e999", "x", "1x", "0x10",
        "1,5", "1__0", "_1", "1_", "++1", "1e", "M", "٣",
    ];
    for text in nonsense {
        for refused in [
            jobs(text),
            polls(text),
            attempts(text),
            batch(text),
            webhooks(text),
            replies(text),
        ] {
            assert!(
                refused
                    .expect_err(text)
                    .starts_with("expected a number from"),
                "{text}"
            );
        }
        assert!(
            memory(text)
                .expect_err(text)
                .starts_with("expected megabytes"),
            "{text}"
        );
        assert!(
            progress(text)
                .expect_err(text)
                .starts_with("expected a whole number"),
            "{text}"
        );
        for refused in [payload(text), result(text), log(text)] {
            assert!(
                refused
                    .expect_err(text)
                    .starts_with("expected whole bytes, such as 512, 40KiB or 1MB, at most"),
                "{text}"
            );
        }
        for refused in [
            duration(text),
            wait(text),
            lease(text),
            followed(text),
            response(text),
        ] {
            assert!(
                refused
                    .expect_err(text)
                    .starts_with("expected a time, such as 800ms, 2s or 1m; "),
                "{text}"
            );
        }
    }
    for text in ["0", "0.5", "1e13", "1e400", "2T"] {
        assert!(jobs(text).is_err(), "{text}");
    }
    for text in ["0.9", "0", "11"] {
        assert!(batch(text).is_err(), "{text}");
    }
    for text in ["8.1", "9"] {
        assert!(webhooks(text).is_err() && replies(text).is_err(), "{text}");
    }
    for text in ["127", "10241", "0", "256.5", "1e3", "1GB"] {
        assert!(memory(text).is_err(), "{text}");
    }
    for text in [
        "64.1MiB", "65MiB", "1GiB", "40kib", "1TB", "0.3", "1e30", "1 KiB",
    ] {
        assert!(payload(text).is_err(), "{text}");
    }
    for text in [
        "0", "0s", "0ms", "800", "16m", "901s", "1h", "1 s", "1e300s",
    ] {
        assert!(duration(text).is_err(), "{text}");
    }
    assert!(followed("1441m").is_err() && response("16s").is_err() && replies("1.1").is_err());
    assert!(wait("26s").is_err() && lease("2s").is_err() && lease("0s").is_err());
}

#[test]
fn the_limit_that_a_refusal_names_is_the_one_that_holds() {
    assert_eq!(Limits::default().upload, 64 * KIB * KIB);
    assert_eq!(cloakroom_app::jobs::LONGEST_WAIT, Duration::from_secs(25));
}
