//! Actions of SQS by family: parse the request, apply it to the store, encode the response.

mod batch;
mod dead_letters;
mod queues;
mod receipts;
mod receive;
mod send;

use std::sync::Arc;

use bytes::Bytes;

use super::error::{Kind, SqsError};
use super::server::Server;

/// Runs the named action. Returns the body of the response.
pub(super) async fn dispatch(
    server: &Arc<Server>,
    action: &str,
    body: &Bytes,
) -> Result<Vec<u8>, SqsError> {
    let answer = match action {
        "SendMessage" => send::one(server, body).await?,
        "SendMessageBatch" => send::batch(server, body).await?,
        "ReceiveMessage" => receive::receive(server, body).await?,
        "DeleteMessage" => receipts::delete(server, body).await?,
        "DeleteMessageBatch" => receipts::delete_batch(server, body).await?,
        "ChangeMessageVisibility" => receipts::change(server, body).await?,
        "ChangeMessageVisibilityBatch" => receipts::change_batch(server, body).await?,
        "CreateQueue" => queues::create(server, body).await?,
        "DeleteQueue" => queues::delete(server, body).await?,
        "GetQueueUrl" => queues::url(server, body).await?,
        "ListQueues" => queues::list(server, body).await?,
        "GetQueueAttributes" => queues::attributes(server, body).await?,
        "SetQueueAttributes" => queues::set(server, body).await?,
        "PurgeQueue" => queues::purge(server, body).await?,
        "StartMessageMoveTask" => dead_letters::start(server, body).await?,
        "ListMessageMoveTasks" => dead_letters::list(server, body).await?,
        unknown => {
            return Err(SqsError::new(
                Kind::InvalidAction,
                format!("The action {unknown} is not valid for this embedded SQS."),
            ));
        }
    };
    Ok(answer.to_string().into_bytes())
}
