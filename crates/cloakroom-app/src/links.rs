//! Links to a job that can be shared: a holder needs no credentials.

use std::sync::Arc;
use std::time::Duration;

use cloakroom_core::ticket::InvalidTicket;
use cloakroom_core::{Job, Ticket, TicketScope};

use crate::host::Host;
use crate::ports::{KeyStore, PortError};

/// The use case, with its ports.
#[derive(Clone)]
pub struct Links {
    /// Clock.
    pub host: Arc<dyn Host>,
    /// Keys that sign tickets.
    pub keys: Arc<dyn KeyStore>,
}

impl Links {
    /// Signs a ticket for a job. Returns its text, and what it contains.
    pub async fn create(
        &self,
        job: &Job,
        scope: Vec<TicketScope>,
        lifetime: Duration,
    ) -> Result<(String, Ticket), PortError> {
        let ticket = Ticket {
            job: job.key(),
            created_at: job.created_at,
            scope,
            expires_at: self.host.now().after(lifetime),
        };
        let text = ticket.sign(&*self.keys.keys().await?);
        Ok((text, ticket))
    }

    /// Verifies a ticket.
    pub async fn verify(&self, text: &str) -> Result<Result<Ticket, InvalidTicket>, PortError> {
        let keys = self.keys.keys().await?;
        Ok(Ticket::verify(text, &keys, self.host.now()))
    }
}

#[cfg(test)]
mod tests {
    use cloakroom_core::Status;

    use super::*;
    use crate::testing::Listening;

    #[tokio::test(start_paused = true)]
    async fn a_link_is_for_its_job_and_its_time() {
        let room = Listening::default();
        let links = Links {
            host: room.host.clone(),
            keys: room.memory.clone(),
        };
        let mut job = room.job(Status::Running, 2);
        // It lives on while it runs, and a redrive extends its life, so its link lives on, too.
        job.retention = Duration::from_secs(60);
        job.expires_at = room.host.now().after(job.retention);
        let hour = Duration::from_secs(3600);
        let scope = vec![TicketScope::Read, TicketScope::Cancel];
        let (text, ticket) = links
            .create(&job, scope.clone(), hour)
            .await
            .expect("signed");
        let want = Ticket {
            job: job.key(),
            created_at: job.created_at,
            scope,
            expires_at: room.host.now().after(hour),
        };
        assert_eq!(ticket, want);
        assert_eq!(links.verify(&text).await, Ok(Ok(ticket)));
        let forged = links.verify(&format!("{text}x")).await.expect("keys");
        assert!(forged.is_err());
        tokio::time::sleep(hour).await;
        assert!(links.verify(&text).await.expect("keys").is_err());
    }
}
