//! Command of a producer's message, parsed from its attributes.

use cloakroom_core::ids::InvalidName;
use cloakroom_core::{
    ClientJobId, Code, CommandType, CorrelationId, EventContext, ReplyQueue, Tenant,
};

use super::message::{ProducerMessage, attributes};
use super::rejection::Rejection;
use crate::delivery::Delivery;

/// Tenants that own the jobs of producers' commands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProducerTenants {
    /// This tenant owns all jobs.
    One(Tenant),
    /// The message names the tenant: every producer may act for every tenant.
    Named,
}

/// Command that a message requests.
pub(super) struct ProducerCommand {
    pub(super) tenant: Tenant,
    pub(super) command: CommandType,
    /// Producer's own id of the job.
    pub(super) key: Option<ClientJobId>,
    /// Producer's own id, or one derived from the message's id.
    pub(super) client_job_id: ClientJobId,
    pub(super) content_type: Option<String>,
    pub(super) query: String,
    /// Reply queue and correlation id, if the producer named any.
    pub(super) events: Option<Box<EventContext>>,
}

impl ProducerCommand {
    /// Parses the attributes of a message.
    pub(super) fn parse(
        tenants: &ProducerTenants,
        delivery: &Delivery,
        message: &ProducerMessage,
    ) -> Result<Self, Rejection> {
        let said = |name: &str| message.attributes.get(name).map(String::as_str);
        let invalid = |name: &str, error: InvalidName| {
            Rejection::new(Code::InvalidRequest, format!("{name}: {error}"))
        };
        let command = said(attributes::COMMAND).unwrap_or_default();
        let command = command
            .parse()
            .map_err(|error| invalid(attributes::COMMAND, error))?;
        let tenant = match (tenants, said(attributes::TENANT)) {
            (ProducerTenants::One(tenant), None) => tenant.clone(),
            (ProducerTenants::One(tenant), Some(said)) if said == tenant.as_str() => tenant.clone(),
            (ProducerTenants::One(_), Some(_)) => {
                return Err(Rejection::new(
                    Code::Forbidden,
                    "producers may not specify another tenant here",
                ));
            }
            (ProducerTenants::Named, said) => said
                .unwrap_or_default()
                .parse()
                .map_err(|error| invalid(attributes::TENANT, error))?,
        };
        let key = said(attributes::CLIENT_JOB_ID)
            .map(str::parse::<ClientJobId>)
            .transpose();
        let key = key.map_err(|error| invalid(attributes::CLIENT_JOB_ID, error))?;
        let client_job_id = match &key {
            Some(key) => key.clone(),
            None => format!("sqs:{}", delivery.message_id)
                .parse()
                .map_err(|error| invalid("message id", error))?,
        };
        let reply_to = said(attributes::REPLY_TO)
            .map(str::parse::<ReplyQueue>)
            .transpose();
        let correlation_id = said(attributes::CORRELATION_ID)
            .map(str::parse::<CorrelationId>)
            .transpose();
        let context = EventContext {
            reply_to: reply_to.map_err(|error| invalid(attributes::REPLY_TO, error))?,
            correlation_id: correlation_id
                .map_err(|error| invalid(attributes::CORRELATION_ID, error))?,
            ..EventContext::default()
        };
        Ok(Self {
            events: (context != EventContext::default()).then(|| Box::new(context)),
            tenant,
            command,
            key,
            client_job_id,
            content_type: said(attributes::CONTENT_TYPE).map(ToOwned::to_owned),
            query: said(attributes::QUERY).unwrap_or_default().to_owned(),
        })
    }
}
