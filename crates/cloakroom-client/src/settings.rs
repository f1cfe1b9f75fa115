//! Settings of a client, as its builder sets them.

use std::sync::Arc;
use std::time::Duration;

use cloakroom_core::RetryPolicy;

use crate::clock::SystemClock;
use crate::{Clock, Retry, Uploading};

type OnRetry = dyn Fn(&Retry) + Send + Sync;
type OnUpload = dyn Fn(&Uploading) + Send + Sync;

/// Settings of a client. The methods of [`Builder`](crate::Builder) describe each.
pub(crate) struct Settings {
    pub(crate) retry: RetryPolicy,
    pub(crate) retry_within: Duration,
    pub(crate) body_limit: u64,
    pub(crate) parts_from: u64,
    pub(crate) parts_at_once: usize,
    pub(crate) long_poll_seconds: u64,
    pub(crate) timeout: Duration,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) on_retry: Option<Box<OnRetry>>,
    pub(crate) on_upload: Option<Box<OnUpload>>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            retry: RetryPolicy {
                max_attempts: 8,
                base: Duration::from_millis(250),
                cap: Duration::from_secs(10),
            },
            retry_within: Duration::from_mins(1),
            body_limit: 4 * 1024 * 1024,
            parts_from: 16 * 1024 * 1024,
            parts_at_once: 4,
            long_poll_seconds: 20,
            timeout: Duration::from_secs(30),
            clock: Arc::new(SystemClock::start()),
            on_retry: None,
            on_upload: None,
        }
    }
}
