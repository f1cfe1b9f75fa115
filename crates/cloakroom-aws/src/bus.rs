//! Event bus, on `EventBridge`.

use async_trait::async_trait;
use aws_sdk_eventbridge::Client;
use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use aws_smithy_types::DateTime;
use cloakroom_app::ports::{EventBus, PortError};
use cloakroom_core::CloudEvent;

use crate::clients::Clients;
use crate::error::port_error;

/// Name of the event bus in errors.
const BUS: &str = "the event bus";

/// `Source` of all entries.
const SOURCE: &str = "cloakroom";

/// Maximum number of entries in one call.
const ENTRIES: usize = 10;

/// Number of calls for entries that the bus did not accept. After that, all events are put again later.
const TRIES: u32 = 3;

/// The port for one event bus.
#[derive(Debug, Clone)]
pub struct EventBridgeBus {
    client: Client,
    name: String,
}

impl EventBridgeBus {
    /// Creates the adapter of the bus with this name or ARN.
    pub fn new(clients: &Clients, name: impl Into<String>) -> Self {
        Self {
            client: clients.eventbridge(),
            name: name.into(),
        }
    }

    fn entry(&self, event: &CloudEvent) -> PutEventsRequestEntry {
        let detail = serde_json::to_string(event).expect("an event is always written");
        PutEventsRequestEntry::builder()
            .event_bus_name(&self.name)
            .source(SOURCE)
            .detail_type(&event.kind)
            .resources(&event.source)
            .time(DateTime::from_millis(event.time.as_millis()))
            .detail(detail)
            .build()
    }

    /// Puts entries on the bus. Returns those that it did not accept, with the code of the last one.
    async fn put(
        &self,
        entries: Vec<PutEventsRequestEntry>,
    ) -> Result<(Vec<PutEventsRequestEntry>, Option<String>), PortError> {
        let put = self
            .client
            .put_events()
            .set_entries(Some(entries.clone()))
            .send()
            .await
            .map_err(|error| port_error(BUS, &error))?;
        let (mut rejected, mut code) = (vec![], None);
        for (entry, result) in entries.into_iter().zip(put.entries.unwrap_or_default()) {
            if let Some(error) = result.error_code {
                rejected.push(entry);
                code = Some(error);
            }
        }
        Ok((rejected, code))
    }
}

#[async_trait]
impl EventBus for EventBridgeBus {
    async fn put_events(&self, events: &[CloudEvent]) -> Result<(), PortError> {
        for batch in events.chunks(ENTRIES) {
            let mut entries: Vec<_> = batch.iter().map(|event| self.entry(event)).collect();
            let mut last = None;
            for _ in 0..TRIES {
                (entries, last) = self.put(entries).await?;
                if entries.is_empty() {
                    break;
                }
            }
            if let Some(code) = last {
                return Err(PortError::Unavailable {
                    service: BUS,
                    reason: format!("{} events were not accepted: {code}", entries.len()),
                });
            }
        }
        Ok(())
    }
}
