use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::is_public;

fn public(addr: &str) -> bool {
    is_public(addr.parse::<IpAddr>().expect("an address"))
}

#[test]
fn addresses_on_the_internet_are_public() {
    for addr in [
        "1.1.1.1",
        "8.8.8.8",
        "100.63.255.255",
        "100.128.0.0",
        "168.254.169.254",
        "169.253.255.255",
        "169.255.0.0",
        "172.15.255.255",
        "172.32.0.0",
        "192.0.1.0",
        "192.167.255.255",
        "192.169.0.0",
        "198.17.255.255",
        "198.20.0.0",
        "223.255.255.255",
        "11.0.0.0",
        "126.255.255.255",
        "128.0.0.0",
        "2001:200::1",
        "2001:4860:4860::8888",
        "2600:1f18::1",
        "2606:4700:4700::1111",
        "2003::1",
        "2a05:d018::1",
        "3ffe:ffff::1",
        "3fff:1000::1",
        "64:ff9b::8.8.8.8",
    ] {
        assert!(public(addr), "{addr}");
    }
}

#[test]
fn special_ipv4_addresses_are_not_public() {
    for addr in [
        "0.0.0.0",
        "0.1.2.3",
        "10.0.0.1",
        "10.255.255.255",
        "100.64.0.0",
        "100.127.255.255",
        "127.0.0.1",
        "127.255.255.255",
        "169.254.0.1",
        "169.254.169.254",
        "169.254.170.2",
        "172.16.0.0",
        "172.31.255.255",
        "192.0.0.1",
        "192.0.0.170",
        "192.0.2.1",
        "192.88.99.1",
        "192.168.0.0",
        "192.168.255.255",
        "198.18.0.0",
        "198.19.255.255",
        "198.51.100.7",
        "203.0.113.7",
        "224.0.0.1",
        "239.255.255.255",
        "240.0.0.1",
        "255.255.255.254",
        "255.255.255.255",
    ] {
        assert!(!public(addr), "{addr}");
    }
}

#[test]
fn special_ipv6_addresses_are_not_public() {
    for addr in [
        "::",
        "::1",
        "64:ff9b:1::1",
        "64:ff9b:1::8.8.8.8",
        "64:ff9b:0:0:1::808:808",
        "64:ff9b::1:808:808",
        "100::1",
        "100:0:0:1::1",
        "1fff:ffff::1",
        "2001::1",
        "2001:0:4136:e378:8000:63bf:3fff:fdd2",
        "2001:2::1",
        "2001:10::1",
        "2001:20::1",
        "2001:1ff:ffff::1",
        "2001:db8::1",
        "2001:db8:ffff::1",
        "3fff::1",
        "3fff:fff::1",
        "4000::1",
        "5f00::1",
        "fc00::1",
        "fd00:ec2::254",
        "fdff:ffff::1",
        "fe80::1",
        "febf:ffff::1",
        "fec0::1",
        "feff:ffff::1",
        "ff02::1",
        "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
    ] {
        assert!(!public(addr), "{addr}");
    }
}

#[test]
fn an_ipv4_address_in_an_ipv6_address_is_not_public() {
    for addr in [
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "::ffff:8.8.8.8",
        "::ffff:0:8.8.8.8",
        "::127.0.0.1",
        "::8.8.8.8",
        "2002:7f00:1::1",
        "2002:808:808::1",
    ] {
        assert!(!public(addr), "{addr}");
    }
}

#[test]
fn each_special_network_ends_where_its_registry_says() {
    for (first, last) in [
        ("0.0.0.0", "0.255.255.255"),
        ("10.0.0.0", "10.255.255.255"),
        ("100.64.0.0", "100.127.255.255"),
        ("127.0.0.0", "127.255.255.255"),
        ("169.254.0.0", "169.254.255.255"),
        ("172.16.0.0", "172.31.255.255"),
        ("192.0.0.0", "192.0.0.255"),
        ("192.0.2.0", "192.0.2.255"),
        ("192.88.99.0", "192.88.99.255"),
        ("192.168.0.0", "192.168.255.255"),
        ("198.18.0.0", "198.19.255.255"),
        ("198.51.100.0", "198.51.100.255"),
        ("203.0.113.0", "203.0.113.255"),
        // Multicast and reserved addresses are neighbours.
        ("224.0.0.0", "255.255.255.255"),
    ] {
        let bits = |addr: &str| addr.parse::<Ipv4Addr>().expect("an address").to_bits();
        assert!(!public(first) && !public(last), "{first}-{last}");
        for outside in [bits(first).checked_sub(1), bits(last).checked_add(1)] {
            let outside = outside.map(|bits| IpAddr::V4(bits.into()));
            assert!(outside.is_none_or(is_public), "{outside:?}");
        }
    }
    for (first, last) in [
        ("2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff"),
        ("2002::", "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
        ("3fff::", "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff"),
    ] {
        let bits = |addr: &str| addr.parse::<Ipv6Addr>().expect("an address").to_bits();
        assert!(!public(first) && !public(last), "{first}-{last}");
        for outside in [bits(first) - 1, bits(last) + 1] {
            let outside = IpAddr::V6(outside.into());
            assert!(is_public(outside), "{outside}");
        }
    }
}

#[test]
fn nat64_is_judged_by_the_embedded_address() {
    for addr in [
        "64:ff9b::127.0.0.1",
        "64:ff9b::10.0.0.1",
        "64:ff9b::169.254.169.254",
        "64:ff9b::",
    ] {
        assert!(!public(addr), "{addr}");
    }
    assert!(public("64:ff9b::1.1.1.1"));
}
