use super::{InvalidCallbackUrl, MAX_URL_BYTES, check_url};
use crate::Reach;

fn public(url: &str) -> Result<(), InvalidCallbackUrl> {
    check_url(url, Reach::Public)
}

#[test]
fn public_https_urls_are_valid() {
    for url in [
        "https://hooks.example.com",
        "https://hooks.example.com/jobs?tenant=a%20b&x={y}|z",
        "HTTPS://Hooks.Example.COM/",
        "https://hooks.example.com./",
        "https://hooks.example.com:443/",
        "https://hooks.example.com:8443/",
        "https://hooks.example.com:/",
        "https://hooks.example.com:1/",
        "https://xn--bcher-kva.example/",
        "https://my_host.example/",
        "https://no-such-host.invalid/",
        "https://localhost.example.com/",
        "https://notlocalhost/",
        "https://8.8.8.8/",
        "https://[2606:4700:4700::1111]/",
        "https://hooks.example.com/user@host",
        "https://hooks.example.com?user@host",
    ] {
        assert_eq!(public(url), Ok(()), "{url}");
    }
}

#[test]
fn addresses_that_are_not_public_are_rejected_in_all_notations() {
    for host in [
        "127.0.0.1",
        "127.0.0.1.",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0x7f.1",
        "0177.0.0.1",
        "017700000001",
        "%31%32%37.0.0.1",
        "%EF%BC%91%EF%BC%92%EF%BC%97.0.0.1", // full-width digits
        "127%E3%80%820.0.1",                 // an ideographic full stop
        "0",
        "0.0.0.0",
        "10.0.0.1",
        "169.254.169.254",
        "2852039166",
        "0xa9fea9fe",
        "0251.0376.0251.0376",
        "[::]",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:8.8.8.8]",
        "[::ffff:a9fe:a9fe]",
        "[0:0:0:0:0:ffff:7f00:1]",
        "[::127.0.0.1]",
        "[64:ff9b::a9fe:a9fe]",
        "[2002:7f00:1::]",
        "[fd00:ec2::254]",
        "[fe80::1]",
    ] {
        let url = format!("https://{host}/");
        assert_eq!(public(&url), Err(InvalidCallbackUrl::NotPublic), "{url}");
    }
}

#[test]
fn names_of_the_local_machine_are_rejected() {
    for host in [
        "localhost",
        "LOCALHOST",
        "localhost.",
        "localhost:8443",
        "a.localhost",
        "a.b.localhost.",
        "l%6fcalhost",
    ] {
        let url = format!("https://{host}/");
        assert_eq!(public(&url), Err(InvalidCallbackUrl::NotPublic), "{url}");
    }
}

#[test]
fn unsuitable_urls_are_rejected_with_the_reason() {
    use InvalidCallbackUrl as Invalid;
    for (url, reason) in [
        ("", Invalid::NotAbsolute),
        ("hooks.example.com", Invalid::NotAbsolute),
        ("/jobs?next=https://hooks.example.com", Invalid::NotAbsolute),
        ("//hooks.example.com/", Invalid::NotAbsolute),
        ("https:hooks.example.com", Invalid::NotAbsolute),
        ("https:/hooks.example.com", Invalid::NotAbsolute),
        ("https:hooks.example.com/://", Invalid::NotAbsolute),
        ("http://hooks.example.com/", Invalid::ForbiddenScheme),
        ("ftp://hooks.example.com/", Invalid::ForbiddenScheme),
        ("file:///etc/passwd", Invalid::ForbiddenScheme),
        ("data:,https://hooks.example.com", Invalid::ForbiddenScheme),
        ("https://", Invalid::NoHost),
        ("https:///hooks.example.com", Invalid::NoHost),
        ("https://?a", Invalid::NoHost),
        ("https://user@hooks.example.com/", Invalid::Credentials),
        ("https://user:pass@hooks.example.com/", Invalid::Credentials),
        ("https://:pass@hooks.example.com/", Invalid::Credentials),
        ("https://@hooks.example.com/", Invalid::Credentials),
        ("https://hooks.example.com/#", Invalid::Fragment),
        ("https://hooks.example.com/a#b", Invalid::Fragment),
        ("https://hooks.example.com:0/", Invalid::PortZero),
        ("https://hooks.example.com/a b", Invalid::ForbiddenCharacter),
        (" https://hooks.example.com/", Invalid::ForbiddenCharacter),
        ("https://hooks.\texample.com/", Invalid::ForbiddenCharacter),
        (
            "https://hooks.example.com/\r\n",
            Invalid::ForbiddenCharacter,
        ),
        ("https://hooks.example.com/\0", Invalid::ForbiddenCharacter),
        (
            "https://hooks.example.com/\u{7f}",
            Invalid::ForbiddenCharacter,
        ),
        ("https://b\u{fc}cher.example/", Invalid::ForbiddenCharacter),
        ("https://hooks.example.com\\@a", Invalid::ForbiddenCharacter),
        ("https://a{b}/", Invalid::InvalidHost),
        ("https://a..example/", Invalid::InvalidHost),
        ("https://./", Invalid::InvalidHost),
        ("https://*.example/", Invalid::InvalidHost),
        ("https://user%40hooks.example.com/", Invalid::InvalidHost),
        ("https://[::1%25eth0]/", Invalid::InvalidHost),
        ("https://1.2.3.4.5/", Invalid::InvalidHost),
        ("https://999.1.1.1/", Invalid::InvalidHost),
    ] {
        assert_eq!(public(url), Err(reason), "{url:?}");
    }
}

#[test]
fn a_port_out_of_range_is_rejected_with_the_reason() {
    let error = public("https://hooks.example.com:65536/").expect_err("rejected");
    assert_eq!(
        error.to_string(),
        "the callback URL is not valid (invalid port number); correct it"
    );
}

#[test]
fn a_url_has_at_most_2048_bytes() {
    let url = |length: usize| format!("https://hooks.example.com/{}", "a".repeat(length - 26));
    assert_eq!(public(&url(MAX_URL_BYTES)), Ok(()));
    let error = public(&url(MAX_URL_BYTES + 1)).expect_err("rejected");
    assert_eq!(
        error.to_string(),
        "the callback URL is longer than 2048 bytes; send a shorter one"
    );
}

#[test]
fn a_host_name_has_at_most_253_bytes_and_63_in_a_part() {
    let part = "a".repeat(63);
    let longest = format!("{part}.{part}.{part}.{}", "a".repeat(61));
    assert_eq!(public(&format!("https://{longest}/")), Ok(()));
    for host in [format!("{longest}a"), format!("{part}a.example")] {
        let url = format!("https://{host}/");
        assert_eq!(public(&url), Err(InvalidCallbackUrl::InvalidHost), "{url}");
    }
}

#[test]
fn locally_http_and_any_address_are_valid() {
    for url in [
        "http://127.0.0.1:8080/hook",
        "http://localhost:8080/",
        "http://[::1]:8080/",
        "https://10.0.0.1/",
        "http://hooks.example.com/",
    ] {
        assert_eq!(check_url(url, Reach::Local), Ok(()), "{url}");
    }
}

#[test]
fn locally_the_other_rules_still_hold() {
    for (url, reason) in [
        ("ftp://127.0.0.1/", InvalidCallbackUrl::ForbiddenScheme),
        ("http://user@127.0.0.1/", InvalidCallbackUrl::Credentials),
        ("http://127.0.0.1/#a", InvalidCallbackUrl::Fragment),
        ("http://127.0.0.1:0/", InvalidCallbackUrl::PortZero),
    ] {
        assert_eq!(check_url(url, Reach::Local), Err(reason), "{url}");
    }
}
