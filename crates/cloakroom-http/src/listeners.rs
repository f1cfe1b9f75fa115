//! Request headers that name the listeners of a job: `Callback-Url`, `Callback-Events`, `Reply-To`, `Correlation-Id` and
//! `Causation-Id`.

use cloakroom_core::listeners::WebhookListener;
use cloakroom_core::{Code, CorrelationId, EventContext, EventScope};
use http::{HeaderMap, HeaderName};

use crate::problems::Rejection;

const CALLBACK_URL: HeaderName = HeaderName::from_static("callback-url");
const CALLBACK_EVENTS: HeaderName = HeaderName::from_static("callback-events");
const REPLY_TO: HeaderName = HeaderName::from_static("reply-to");
const CORRELATION_ID: HeaderName = HeaderName::from_static("correlation-id");
const CAUSATION_ID: HeaderName = HeaderName::from_static("causation-id");

/// Checks a callback URL. The error says what to do.
pub type CallbackCheck = fn(&str) -> Result<(), String>;

/// Parses the listeners of a request. Returns `None` without any.
pub(crate) fn from_headers(
    headers: &HeaderMap,
    check: CallbackCheck,
) -> Result<Option<Box<EventContext>>, Rejection> {
    let context = EventContext {
        correlation_id: id(headers, &CORRELATION_ID)?,
        causation_id: id(headers, &CAUSATION_ID)?,
        webhook: webhook(headers, check)?,
        reply_to: reply_to(headers)?,
        ..EventContext::default()
    };
    Ok((context != EventContext::default()).then(|| Box::new(context)))
}

fn id(headers: &HeaderMap, name: &HeaderName) -> Result<Option<CorrelationId>, Rejection> {
    let invalid = || {
        let detail = format!(
            "the {} is not 1 to 128 visible ASCII characters in one line; correct or omit it",
            shown(name)
        );
        Rejection::new(Code::InvalidCorrelationId, detail)
    };
    match single(headers, name) {
        Ok(None) => Ok(None),
        Ok(Some(text)) => text.parse().map(Some).map_err(|_| invalid()),
        Err(Several) => Err(invalid()),
    }
}

fn webhook(
    headers: &HeaderMap,
    check: CallbackCheck,
) -> Result<Option<WebhookListener>, Rejection> {
    let invalid = |detail: String| Rejection::new(Code::InvalidCallbackUrl, detail);
    let url = single(headers, &CALLBACK_URL)
        .map_err(|Several| invalid("the request has more than one Callback-Url, or one with characters other than visible ASCII; send one".to_owned()))?;
    let scope = scope(headers)?;
    let Some(url) = url else {
        return Ok(None);
    };
    check(url).map_err(invalid)?;
    Ok(Some(WebhookListener {
        url: url.to_owned(),
        scope,
    }))
}

fn scope(headers: &HeaderMap) -> Result<EventScope, Rejection> {
    match single(headers, &CALLBACK_EVENTS) {
        Ok(None) => Ok(EventScope::Terminal),
        Ok(Some(text)) if text.eq_ignore_ascii_case("terminal") => Ok(EventScope::Terminal),
        Ok(Some(text)) if text.eq_ignore_ascii_case("all") => Ok(EventScope::All),
        Ok(Some(_)) | Err(Several) => Err(Rejection::invalid(
            "Callback-Events is neither terminal nor all; send one of them, or omit it",
        )),
    }
}

fn reply_to(headers: &HeaderMap) -> Result<Option<cloakroom_core::ReplyQueue>, Rejection> {
    match single(headers, &REPLY_TO) {
        Ok(None) => Ok(None),
        // A name that no queue can have is unknown.
        Ok(Some(text)) => text.parse().map(Some).map_err(|_| unknown_reply_queue()),
        Err(Several) => Err(unknown_reply_queue()),
    }
}

/// Returns the rejection of a reply queue that the deployment does not have.
pub(crate) fn unknown_reply_queue() -> Rejection {
    Rejection::new(
        Code::UnknownReplyQueue,
        "Reply-To names no reply queue of this deployment; send the name of one, or omit it",
    )
}

/// Error: the header has several lines, or characters other than visible ASCII.
struct Several;

fn single<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, Several> {
    let mut lines = headers.get_all(name).iter();
    let Some(line) = lines.next() else {
        return Ok(None);
    };
    if lines.next().is_some() {
        return Err(Several);
    }
    line.to_str()
        .map(|text| Some(text.trim()))
        .map_err(|_| Several)
}

fn shown(name: &HeaderName) -> &'static str {
    if *name == CORRELATION_ID {
        "Correlation-Id"
    } else {
        "Causation-Id"
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn read(lines: &[(&'static str, &str)]) -> Result<Option<Box<EventContext>>, String> {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            let value = HeaderValue::from_bytes(value.as_bytes()).expect("a header");
            headers.append(HeaderName::from_static(name), value);
        }
        let check = |url: &str| {
            url.starts_with("https://")
                .then_some(())
                .ok_or("no".to_owned())
        };
        from_headers(&headers, check)
            .map_err(|rejection| format!("{}: {}", rejection.code(), rejection.detail()))
    }

    #[test]
    fn each_header_names_a_listener_or_an_id() {
        assert_eq!(read(&[]), Ok(None));
        let context = read(&[
            ("callback-url", "https://a.example/x"),
            ("callback-events", "All"),
            ("reply-to", "orders"),
            ("correlation-id", "order-1042"),
            ("causation-id", "j/3"),
        ]);
        let context = context.expect("valid").expect("listeners");
        let webhook = context.webhook.expect("a webhook");
        assert_eq!(
            (webhook.url.as_str(), webhook.scope),
            ("https://a.example/x", EventScope::All)
        );
        assert_eq!(
            context.reply_to.map(String::from),
            Some("orders".to_owned())
        );
        assert_eq!(
            context.correlation_id.map(String::from),
            Some("order-1042".to_owned())
        );
        assert_eq!(
            context.causation_id.map(String::from),
            Some("j/3".to_owned())
        );
        let terminal = read(&[("callback-url", "https://a.example/x")]).expect("valid");
        let webhook = terminal.and_then(|context| context.webhook);
        assert_eq!(
            webhook.map(|webhook| webhook.scope),
            Some(EventScope::Terminal)
        );
        assert_eq!(
            read(&[("callback-events", "all")]),
            Ok(None),
            "of no webhook"
        );
        for id in ["correlation-id", "causation-id"] {
            let context = read(&[(id, "a")]).expect("valid");
            assert!(context.is_some(), "{id} goes to the event bus");
        }
    }

    #[test]
    fn each_invalid_header_has_its_code() {
        let long = "x".repeat(129);
        for (lines, code) in [
            (&[("correlation-id", "")][..], "invalid-correlation-id"),
            (&[("correlation-id", "a b")], "invalid-correlation-id"),
            (&[("correlation-id", "ä")], "invalid-correlation-id"),
            (&[("correlation-id", &long)], "invalid-correlation-id"),
            (
                &[("correlation-id", "a"), ("correlation-id", "b")],
                "invalid-correlation-id",
            ),
            (&[("causation-id", "a b")], "invalid-correlation-id"),
            (
                &[("callback-url", "http://a.example/")],
                "invalid-callback-url",
            ),
            (&[("callback-url", "")], "invalid-callback-url"),
            (
                &[
                    ("callback-url", "https://a/"),
                    ("callback-url", "https://b/"),
                ],
                "invalid-callback-url",
            ),
            (&[("callback-events", "some")], "invalid-request"),
            (&[("reply-to", "a b")], "unknown-reply-queue"),
            (&[("reply-to", "")], "unknown-reply-queue"),
        ] {
            let error = read(lines).expect_err("invalid");
            assert!(
                error.starts_with(&format!("{code}: ")),
                "{lines:?}: {error}"
            );
            let (header, _) = lines[0];
            assert!(error.to_lowercase().contains(header), "{header}: {error}");
        }
    }
}
