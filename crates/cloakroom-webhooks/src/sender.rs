//! The port of Cloakroom's deliveries.

use async_trait::async_trait;
use bytes::Bytes;
use cloakroom_app::ports::WebhookSender;

use crate::Webhooks;

#[async_trait]
impl WebhookSender for Webhooks {
    async fn post(&self, url: &str, headers: &[(&str, &str)], body: Bytes) -> Result<u16, String> {
        Self::post(self, url, headers, body)
            .await
            .map_err(|error| error.to_string())
    }
}
