//! One bucket, and its links.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::presigning::{PresignedRequest, PresigningConfig};
use cloakroom_app::ports::{PortError, UploadLink};

use crate::clients::Clients;
use crate::error::OBJECTS;

/// Length of a part of a copy: 64 MiB, so that an object of 5 GiB has 80.
const COPY_PART_LENGTH: u64 = 64 * 1024 * 1024;

/// One bucket.
///
/// Its client is built at its first use: most submissions are small, most polls find no stored result, and neither
/// should pay for it.
#[derive(Debug, Clone)]
pub struct S3Objects {
    clients: Clients,
    client: Arc<OnceLock<Client>>,
    pub(super) bucket: String,
    /// Length of the parts in which a larger object is copied.
    pub(super) copy_part_length: u64,
}

impl S3Objects {
    /// Takes the bucket of this name.
    pub fn new(clients: &Clients, bucket: impl Into<String>) -> Self {
        Self {
            clients: clients.clone(),
            client: Arc::default(),
            bucket: bucket.into(),
            copy_part_length: COPY_PART_LENGTH,
        }
    }

    /// Copies objects of more than 5 MiB, S3's minimum, in parts: so that tests need no large ones.
    #[must_use]
    pub fn with_small_parts(mut self) -> Self {
        self.copy_part_length = 5 * 1024 * 1024;
        self
    }

    pub(super) fn client(&self) -> &Client {
        self.client.get_or_init(|| self.clients.s3())
    }
}

/// Returns the link of a presigned request.
pub(super) fn upload_link_from(request: &PresignedRequest) -> UploadLink {
    let headers = request
        .headers()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    UploadLink {
        url: request.uri().to_owned(),
        headers,
    }
}

/// Configures a link that is valid for this time.
pub(super) fn presigning(valid: Duration) -> Result<PresigningConfig, PortError> {
    PresigningConfig::expires_in(valid).map_err(|error| PortError::Misconfigured {
        service: OBJECTS,
        reason: error.to_string(),
    })
}
