//! A complete response of the service, and its meaning in the contract.

use std::time::Duration;

use bytes::Bytes;
use cloakroom_core::{Problem, Status, redact};
use reqwest::header::{ETAG, HeaderMap, HeaderName, LOCATION, RETRY_AFTER};
use reqwest::{Response, StatusCode};
use serde::de::DeserializeOwned;

use crate::Error;
use crate::retry::Again;

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) async fn read(mut response: Response) -> Result<Self, reqwest::Error> {
        let headers = std::mem::take(response.headers_mut());
        Ok(Self {
            status: response.status(),
            headers,
            body: response.bytes().await?,
        })
    }

    /// Returns the reason for a retry: 5xx and 429 mean that the outcome is unknown.
    pub(crate) fn again(&self) -> Option<Again> {
        let throttled = self.status == StatusCode::TOO_MANY_REQUESTS;
        if !throttled && !self.status.is_server_error() {
            return None;
        }
        let reason = format!("{}: {}", self.status, self.problem().detail);
        Some(Again {
            reason,
            retry_after: self.retry_after(),
            reached: !throttled,
        })
    }

    /// Returns the error code of the storage: the element `Code` of its XML.
    pub(crate) fn storage_code(&self) -> Option<String> {
        let text = str::from_utf8(&self.body).ok()?;
        let (code, _) = text.split_once("<Code>")?.1.split_once("</Code>")?;
        Some(code.trim().to_owned())
    }

    /// Parses the document of a success.
    pub(crate) fn json<T: DeserializeOwned>(&self) -> Result<T, Error> {
        serde_json::from_slice(&self.body).map_err(|error| self.unexpected(&error.to_string()))
    }

    /// Returns the problem of a response with status 400 or above.
    ///
    /// A body that is no problem document most likely comes from a gateway. It becomes a problem without a type (RFC 9457,
    /// section 4.2.1), with its message and the code `http-{status}`.
    pub(crate) fn problem(&self) -> Problem {
        let (status, reason) = (
            self.status.as_u16(),
            self.status
                .canonical_reason()
                .unwrap_or("an unknown status"),
        );
        serde_json::from_slice(&self.body).unwrap_or_else(|_| {
            let gateway: Option<serde_json::Value> = serde_json::from_slice(&self.body).ok();
            let message = gateway
                .as_ref()
                .and_then(|body| body.get("message").or(body.get("Message"))?.as_str());
            Problem {
                type_uri: "about:blank".to_owned(),
                title: reason.to_owned(),
                status,
                detail: message.unwrap_or(reason).to_owned(),
                instance: None,
                code: format!("http-{status}"),
                errors: Vec::new(),
                job: None,
            }
        })
    }

    /// Converts a response that is not a success to its error.
    pub(crate) fn into_refusal(self) -> Error {
        if self.status.is_client_error() {
            return Error::Problem(Box::new(self.problem()));
        }
        let place = self
            .header(LOCATION)
            .map(|place| format!(" at {}", redact::url(place)))
            .unwrap_or_default();
        self.unexpected(&format!("unexpected response{place}"))
    }

    /// Converts the response to a poll to its error: the end of the job, if the problem contains the job.
    pub(crate) fn into_end(self) -> Error {
        match self.into_refusal() {
            Error::Problem(problem) => match problem.job.as_ref().map(|job| job.status) {
                Some(Status::Failed) => Error::JobFailed(problem),
                Some(Status::Cancelled) => Error::JobCancelled(problem),
                _ => Error::Problem(problem),
            },
            error => error,
        }
    }

    pub(crate) fn unexpected(&self, what: &str) -> Error {
        Error::Protocol(format!("{}: {what}", self.status))
    }

    pub(crate) fn header(&self, name: HeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    pub(crate) fn etag(&self) -> Option<String> {
        self.header(ETAG).map(str::to_owned)
    }

    pub(crate) fn retry_after(&self) -> Option<Duration> {
        retry_after(&self.headers)
    }
}

/// Parses `Retry-After` in whole seconds, as the contract requires. A date (RFC 9110, section 10.2.3) is ignored.
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?;
    value.trim().parse().ok().map(Duration::from_secs)
}
