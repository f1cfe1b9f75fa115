//! All that is known of a job.

use cloakroom_app::core::view::HistoryView;
use cloakroom_client::DeliveryView;
use serde::Serialize;

/// History of a job, and the deliveries of its events.
#[derive(Debug, Serialize)]
pub(super) struct Story {
    #[serde(flatten)]
    pub(super) history: HistoryView,
    pub(super) deliveries: Vec<DeliveryView>,
}
