//! Keys of a deployment. Tickets and the secrets of webhooks are derived from them.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use crate::webhook::WebhookSecret;
use crate::{Tenant, Timestamp};

/// Time for which webhooks are signed with the old secret too, after it was replaced.
pub const ROTATION: Duration = Duration::from_secs(24 * 3600);

/// Minimum length of a key in bytes.
const KEY_LENGTH: usize = 32;

/// Keys of a deployment, as a secret store holds them. This type is a boundary: later versions read it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeploymentKeys {
    /// Key that signs.
    key: String,
    /// Key that was replaced. Tickets that it signed are valid until they expire.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    previous_key: Option<String>,
    /// Secrets of webhooks that were replaced.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    webhooks: BTreeMap<String, Rotation>,
}

/// State of a tenant's webhook secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Rotation {
    /// Number of replacements.
    generation: u32,
    /// Time of the last one, in seconds.
    rotated_at: i64,
}

/// Error of reading the keys of a deployment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "read the deployment's keys: expected JSON with a member `key` of at least {KEY_LENGTH} characters"
)]
pub struct InvalidKeys;

impl DeploymentKeys {
    /// Creates keys from 256 random bits.
    pub fn new(random: [u128; 2]) -> Self {
        Self {
            key: format!("{:032x}{:032x}", random[0], random[1]),
            previous_key: None,
            webhooks: BTreeMap::new(),
        }
    }

    /// Parses the content of a secret store.
    pub fn parse(text: &str) -> Result<Self, InvalidKeys> {
        let keys: Self = serde_json::from_str(text).map_err(|_| InvalidKeys)?;
        if keys.accepted().any(|key| key.len() < KEY_LENGTH) {
            return Err(InvalidKeys);
        }
        Ok(keys)
    }

    /// Returns the content for a secret store.
    pub fn write(&self) -> String {
        serde_json::to_string(self).expect("strings and numbers are always written")
    }

    /// Replaces the key that signs. The old one is accepted until the next replacement.
    #[must_use]
    pub fn with_key(mut self, random: [u128; 2]) -> Self {
        self.previous_key = Some(std::mem::replace(&mut self.key, Self::new(random).key));
        self
    }

    /// Replaces the secret of a tenant's webhooks.
    #[must_use]
    pub fn with_rotated_webhooks(mut self, tenant: &Tenant, now: Timestamp) -> Self {
        let generation = self.generation(tenant) + 1;
        let rotated_at = now.as_millis().div_euclid(1000);
        self.webhooks.insert(
            tenant.as_str().to_owned(),
            Rotation {
                generation,
                rotated_at,
            },
        );
        self
    }

    /// Returns the secrets with which a tenant's webhooks are signed: the current one first, then the one that was
    /// replaced within [`ROTATION`].
    pub fn webhook_secrets(&self, tenant: &Tenant, now: Timestamp) -> Vec<WebhookSecret> {
        let generation = self.generation(tenant);
        let mut secrets = vec![Self::webhook_secret(&self.key, tenant, generation)];
        let rotated = self
            .webhooks
            .get(tenant.as_str())
            .filter(|rotation| now.since(Timestamp::from_seconds(rotation.rotated_at)) < ROTATION);
        if let Some(before) = rotated.and_then(|_| generation.checked_sub(1)) {
            secrets.push(Self::webhook_secret(&self.key, tenant, before));
        }
        if let Some(key) = &self.previous_key {
            secrets.push(Self::webhook_secret(key, tenant, generation));
        }
        secrets
    }

    fn webhook_secret(key: &str, tenant: &Tenant, generation: u32) -> WebhookSecret {
        WebhookSecret::from_bytes(derive(key, &format!("webhook\n{tenant}\n{generation}")))
    }

    fn generation(&self, tenant: &Tenant) -> u32 {
        self.webhooks
            .get(tenant.as_str())
            .map_or(0, |rotation| rotation.generation)
    }

    /// Signs a text for a purpose.
    pub(crate) fn sign(&self, purpose: &str, text: &str) -> [u8; 32] {
        derive(&self.key, &format!("{purpose}\n{text}"))
    }

    /// Returns true if a key of the deployment signed the text. Takes the same time for every wrong signature.
    pub(crate) fn verify(&self, purpose: &str, text: &str, signature: &[u8]) -> bool {
        self.accepted().any(|key| {
            mac(key, &format!("{purpose}\n{text}"))
                .verify_slice(signature)
                .is_ok()
        })
    }

    fn accepted(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.key.as_str()).chain(self.previous_key.as_deref())
    }
}

impl fmt::Debug for DeploymentKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DeploymentKeys(…)")
    }
}

fn mac(key: &str, text: &str) -> Hmac<Sha256> {
    let mut mac =
        Hmac::<Sha256>::new_from_slice(key.as_bytes()).expect("a key may have any length");
    mac.update(text.as_bytes());
    mac
}

fn derive(key: &str, text: &str) -> [u8; 32] {
    mac(key, text).finalize().into_bytes().into()
}

#[cfg(test)]
mod tests;
