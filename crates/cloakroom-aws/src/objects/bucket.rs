//! A bucket, and its links.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::presigning::{PresignedRequest, PresigningConfig};
use cloakroom_app::ports::{PortError, UploadLink};

use crate::clients::Clients;
use crate::error::OBJECTS;

/// Part length in bytes of a copy: 64 MiB. An object of 5 GiB has 80 parts.
const COPY_PART_LENGTH: u64 = 64 * 1024 * 1024;

/// A bucket.
///
/// Its client is built at its first use: most submissions are small, and most polls find no stored result, so they
/// don't need it.
#[derive(Debug, Clone)]
pub struct S3Objects {
    clients: Clients,
    client: Arc<OnceLock<Client>>,
    pub(super) bucket: String,
    /// Part length in bytes for copying larger objects.
    pub(super) copy_part_length: u64,
}

impl S3Objects {
    /// Creates the adapter of this bucket.
    pub fn new(clients: &Clients, bucket: impl Into<String>) -> Self {
        Self {
            clients: clients.clone(),
            client: Arc::default(),
            bucket: bucket.into(),
            copy_part_length: COPY_PART_LENGTH,
        }
    }

    /// Copies objects of more than 5 MiB (S3's minimum) in parts, so that tests don't need larger ones.
    #[must_use]
    pub fn with_small_parts(mut self) -> Self {
        self.copy_part_length = 5 * 1024 * 1024;
        self
    }

    pub(super) fn client(&self) -> &Client {
        self.client.get_or_init(|| self.clients.s3())
    }
}

/// Converts a presigned request to a link.
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
