//! The ids that tie a request to its job's run and to the caller's own traces.

use cloakroom_app::envelope::Trace;
use http::HeaderMap;
use http::request::Parts;

/// The id of a request: the caller's own, if it is 1 to 128 visible ASCII characters, else made here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RequestId(pub(crate) String);

impl RequestId {
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let sent = headers.get("x-request-id").and_then(|value| value.to_str().ok());
        let good = |id: &&str| (1..=128).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_graphic());
        Self(sent.filter(good).map_or_else(|| uuid::Uuid::new_v4().to_string(), ToOwned::to_owned))
    }
}

/// What goes along with a command.
pub(crate) fn of(parts: &Parts) -> Trace {
    Trace {
        traceparent: traceparent(&parts.headers),
        request_id: parts.extensions.get::<RequestId>().map(|id| id.0.clone()),
    }
}

/// The W3C trace context (level 1, section 3.2), if it is sent once and well-formed.
fn traceparent(headers: &HeaderMap) -> Option<String> {
    let mut lines = headers.get_all("traceparent").iter();
    let text = lines.next()?.to_str().ok().filter(|_| lines.next().is_none())?.trim();
    let mut fields = text.splitn(5, '-');
    let hex = |digits: usize| {
        move |field: &&str| field.len() == digits && field.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
    };
    let some = |field: &&str| field.bytes().any(|b| b != b'0');
    let version = fields.next().filter(hex(2)).filter(|&version| version != "ff")?;
    fields.next().filter(hex(32)).filter(some)?;
    fields.next().filter(hex(16)).filter(some)?;
    fields.next().filter(hex(2))?;
    // A later version may say more, which is passed on.
    let more = fields.next().is_some();
    (text.len() <= 256 && (!more || version != "00")).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<String> {
        let mut headers = HeaderMap::new();
        headers.insert("traceparent", text.parse().expect("a header"));
        traceparent(&headers)
    }

    #[test]
    fn a_well_formed_traceparent_is_carried_and_any_other_dropped() {
        let good = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        assert_eq!(read(good).as_deref(), Some(good));
        assert!(read(&format!("cc{}-what-comes", &good[2..])).is_some(), "a later version");
        for bad in [
            "",
            "x",
            &good.to_uppercase(),
            &good[..54],
            &format!("{good}-00"),
            &format!("ff{}", &good[2..]),
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
        ] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_request_keeps_its_own_id_if_it_is_fit_to_log() {
        let of = |value: &[u8]| {
            let mut headers = HeaderMap::new();
            headers.insert("x-request-id", http::HeaderValue::from_bytes(value).expect("a header"));
            RequestId::of(&headers).0
        };
        assert_eq!(of(b"abc-1"), "abc-1");
        for bad in [&b""[..], b"a b", &[b'a'; 129], b"\xc3\xa9"] {
            assert_eq!(of(bad).len(), 36);
        }
    }
}
