//! Count of the bytes that an upload has sent.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use cloakroom_core::Digest;

use crate::{Client, Uploading};

/// Progress of one upload.
pub(crate) struct Progress(Arc<Counted>);

struct Counted {
    client: Client,
    upload_id: String,
    sha256: Option<String>,
    length: u64,
    in_parts: bool,
    sent: AtomicU64,
}

impl Counted {
    fn tell(&self) {
        if let Some(report) = &self.client.inner.settings.on_upload {
            report(&Uploading {
                upload_id: self.upload_id.clone(),
                sha256: self.sha256.clone(),
                sent: self.sent.load(Ordering::Relaxed),
                length: self.length,
                in_parts: self.in_parts,
            });
        }
    }
}

impl Progress {
    pub(crate) fn new(
        client: &Client,
        upload_id: &str,
        sha256: Option<Digest>,
        length: u64,
    ) -> Self {
        Self::create(client, upload_id, sha256, length, false)
    }

    pub(crate) fn in_parts(
        client: &Client,
        upload_id: &str,
        sha256: Option<Digest>,
        length: u64,
    ) -> Self {
        Self::create(client, upload_id, sha256, length, true)
    }

    fn create(
        client: &Client,
        upload_id: &str,
        sha256: Option<Digest>,
        length: u64,
        in_parts: bool,
    ) -> Self {
        let (client, upload_id) = (client.clone(), upload_id.to_owned());
        let sha256 = sha256.map(|sha256| sha256.to_string());
        Self(Arc::new(Counted {
            client,
            upload_id,
            sha256,
            length,
            in_parts,
            sent: AtomicU64::new(0),
        }))
    }

    /// Adds bytes that are already stored.
    pub(crate) fn there(&self, bytes: u64) {
        self.0.sent.fetch_add(bytes, Ordering::Relaxed);
        self.0.tell();
    }

    /// Begins an attempt to send a body.
    pub(crate) fn attempt(&self) -> Attempt {
        Attempt(Counter {
            of: Arc::clone(&self.0),
            sent: Arc::new(Mutex::new(Some(0))),
        })
    }
}

/// One attempt. Dropping it subtracts the bytes that it sent, unless it is done.
pub(crate) struct Attempt(Counter);

/// Counter of the bytes that one attempt sends, until the attempt ends: its body may still be read after that.
#[derive(Clone)]
pub(crate) struct Counter {
    of: Arc<Counted>,
    sent: Arc<Mutex<Option<u64>>>,
}

impl Counter {
    fn sent(&self) -> MutexGuard<'_, Option<u64>> {
        self.sent.lock().expect("no one panics while counting")
    }
}

impl Attempt {
    pub(crate) fn counter(&self) -> Counter {
        self.0.clone()
    }

    /// Marks the attempt as accepted.
    pub(crate) fn is_done(&self) {
        self.0.sent().take();
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        let sent = self.0.sent().take();
        if let Some(sent) = sent.filter(|sent| *sent > 0) {
            self.0.of.sent.fetch_sub(sent, Ordering::Relaxed);
            self.0.of.tell();
        }
    }
}

impl Counter {
    pub(crate) fn add(&self, bytes: u64) {
        if let Some(sent) = self.sent().as_mut() {
            *sent += bytes;
            self.of.sent.fetch_add(bytes, Ordering::Relaxed);
        }
        self.of.tell();
    }
}
