//! Tickets: links to one job that can be shared. A holder needs no credentials, and may do what the scope says.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use serde::{Deserialize, Serialize};

use crate::{DeploymentKeys, JobId, JobKey, Tenant, Timestamp};

/// Lifetimes that a ticket may have, in seconds.
pub const TICKET_SECONDS: std::ops::RangeInclusive<u64> = 60..=86_400;

/// Actions that a ticket permits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TicketScope {
    /// Read the job, its events and its result.
    Read,
    /// Cancel the job.
    Cancel,
    /// Send signals to the job.
    Signal,
}

impl TicketScope {
    /// All scopes.
    pub const ALL: [Self; 3] = [Self::Read, Self::Cancel, Self::Signal];
}

/// Content of a ticket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ticket {
    /// Job that the ticket is for.
    pub job: JobKey,
    /// Incarnation of the job's id.
    pub created_at: Timestamp,
    /// Actions that the ticket permits.
    pub scope: Vec<TicketScope>,
    /// Time from which the ticket is invalid.
    pub expires_at: Timestamp,
}

/// Error: the ticket is malformed, altered or expired, or was signed with a key that is no longer accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the ticket is not valid")]
pub struct InvalidTicket;

/// Signed content, in short names: a ticket is part of a URL.
#[derive(Serialize, Deserialize)]
struct Claims {
    t: Tenant,
    j: JobId,
    c: i64,
    s: Vec<TicketScope>,
    e: i64,
}

/// Purpose of the signature.
const PURPOSE: &str = "ticket";

impl Ticket {
    /// Returns the signed ticket: characters that a URL may contain.
    pub fn sign(&self, keys: &DeploymentKeys) -> String {
        let claims = Claims {
            t: self.job.tenant.clone(),
            j: self.job.id,
            c: self.created_at.as_millis(),
            s: self.scope.clone(),
            e: self.expires_at.as_millis(),
        };
        let claims = serde_json::to_vec(&claims).expect("strings and numbers are always written");
        let claims = BASE64.encode(claims);
        let signature = BASE64.encode(keys.sign(PURPOSE, &claims));
        format!("{claims}.{signature}")
    }

    /// Verifies a ticket. The signature is checked before anything else is read.
    pub fn verify(
        text: &str,
        keys: &DeploymentKeys,
        now: Timestamp,
    ) -> Result<Self, InvalidTicket> {
        let (claims, signature) = text.split_once('.').ok_or(InvalidTicket)?;
        let signature = BASE64.decode(signature).map_err(|_| InvalidTicket)?;
        if !keys.verify(PURPOSE, claims, &signature) {
            return Err(InvalidTicket);
        }
        let claims = BASE64.decode(claims).map_err(|_| InvalidTicket)?;
        let claims: Claims = serde_json::from_slice(&claims).map_err(|_| InvalidTicket)?;
        let ticket = Self {
            job: JobKey {
                tenant: claims.t,
                id: claims.j,
            },
            created_at: Timestamp::from_millis(claims.c),
            scope: claims.s,
            expires_at: Timestamp::from_millis(claims.e),
        };
        if ticket.expires_at <= now {
            return Err(InvalidTicket);
        }
        Ok(ticket)
    }
}

#[cfg(test)]
mod tests;
