//! Dead letters of producers' messages.

use serde_json::json;

use super::message::ProducerMessage;
use crate::delivery::Delivery;

/// Returns the body of the dead letter for a producer's message, with the code and detail of its rejection if they are known.
pub(crate) fn dead_letter_body(
    delivery: &Delivery,
    message: &ProducerMessage,
    rejection: Option<(&str, &str)>,
) -> String {
    let refused = rejection.map(|(code, detail)| json!({ "code": code, "detail": detail }));
    let sent_at = message.sent_at.map(|at| at.to_string());
    let ProducerMessage { attributes, .. } = message;
    json!({ "refused": refused, "sent_at": sent_at, "attributes": attributes, "body": delivery.body }).to_string()
}
