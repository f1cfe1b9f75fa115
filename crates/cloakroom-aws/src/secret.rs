//! Keys of a deployment, in Secrets Manager.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_secretsmanager::Client;
use cloakroom_app::ports::{KeyStore, PortError};
use cloakroom_core::DeploymentKeys;
use tokio::time::Instant;

use crate::clients::Clients;
use crate::error::port_error;

/// Name of the secret in errors.
const SECRET: &str = "the secret";

/// Time for which keys are used before they are read again. A replaced key takes effect within it.
const LIFE: Duration = Duration::from_secs(60);

/// The keys in one secret.
#[derive(Clone)]
pub struct SecretKeys {
    client: Client,
    secret: String,
    read: Arc<Mutex<Option<ReadKeys>>>,
}

/// Keys, and the time at which they were read.
type ReadKeys = (Instant, Arc<DeploymentKeys>);

impl SecretKeys {
    /// Creates the adapter of the secret with this name or ARN.
    pub fn new(clients: &Clients, secret: impl Into<String>) -> Self {
        Self {
            client: clients.secrets_manager(),
            secret: secret.into(),
            read: Arc::default(),
        }
    }

    /// Replaces the keys.
    pub async fn replace(&self, keys: &DeploymentKeys) -> Result<(), PortError> {
        let put = self
            .client
            .put_secret_value()
            .secret_id(&self.secret)
            .secret_string(keys.write())
            .send()
            .await;
        put.map_err(|error| port_error(SECRET, &error))?;
        *self.read.lock().unwrap_or_else(PoisonError::into_inner) = None;
        Ok(())
    }

    fn known(&self) -> Option<Arc<DeploymentKeys>> {
        let read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        let (at, keys) = read.as_ref()?;
        (at.elapsed() < LIFE).then(|| Arc::clone(keys))
    }
}

#[async_trait]
impl KeyStore for SecretKeys {
    async fn keys(&self) -> Result<Arc<DeploymentKeys>, PortError> {
        if let Some(keys) = self.known() {
            return Ok(keys);
        }
        let got = self
            .client
            .get_secret_value()
            .secret_id(&self.secret)
            .send()
            .await
            .map_err(|error| port_error(SECRET, &error))?;
        let keys = DeploymentKeys::parse(got.secret_string().unwrap_or_default());
        let keys = Arc::new(keys.map_err(|error| PortError::Misconfigured {
            service: SECRET,
            reason: error.to_string(),
        })?);
        let read = Some((Instant::now(), Arc::clone(&keys)));
        *self.read.lock().unwrap_or_else(PoisonError::into_inner) = read;
        Ok(keys)
    }
}
