//! Reply queues, on SQS. A reply that is too large for a message is sent as Amazon's SQS Extended Clients do.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::MessageAttributeValue;
use bytes::Bytes;
use cloakroom_app::ports::{Objects, PortError, Reply, ReplyQueues, keys};
use cloakroom_core::{Digest, ReplyQueue};
use cloakroom_sqs_extended_client::{Pointer, PointerClass, SizeAttribute};

use crate::clients::Clients;
use crate::error::{QUEUE, port_error};
use crate::objects::S3Objects;

/// Maximum size in bytes of a reply in a message, with its attributes: the threshold of Amazon's clients.
const INLINE_REPLY_LIMIT: usize = 256 * 1024;

/// Reply queues of a deployment, by name.
#[derive(Debug, Clone)]
pub struct SqsReplies {
    clients: Clients,
    client: Arc<OnceLock<Client>>,
    /// URLs of the queues.
    queues: BTreeMap<ReplyQueue, String>,
    bucket: String,
    objects: S3Objects,
}

impl SqsReplies {
    /// Creates the adapter of these queues. Large replies are stored in the bucket.
    pub fn new(clients: &Clients, queues: BTreeMap<ReplyQueue, String>, bucket: &str) -> Self {
        Self {
            clients: clients.clone(),
            client: Arc::default(),
            queues,
            bucket: bucket.to_owned(),
            objects: S3Objects::new(clients, bucket),
        }
    }

    /// Returns the body and the attributes of a reply. Stores a large one.
    async fn encode(
        &self,
        reply: &Reply,
    ) -> Result<(String, HashMap<String, MessageAttributeValue>), PortError> {
        let mut texts = vec![
            ("correlationid", reply.correlation_id.clone()),
            ("type", reply.kind.clone()),
            ("id", reply.id.clone()),
        ];
        texts.extend(reply.causation_id.clone().map(|id| ("causationid", id)));
        let size: usize = texts
            .iter()
            .map(|(name, value)| name.len() + value.len() + "String".len())
            .sum();
        let mut attributes: HashMap<_, _> = texts
            .into_iter()
            .map(|(name, value)| (name.to_owned(), attribute("String", value)))
            .collect();
        if reply.body.len() + size <= INLINE_REPLY_LIMIT {
            return Ok((reply.body.clone(), attributes));
        }
        let key = keys::reply(&reply.job, &reply.id);
        let bytes = Bytes::copy_from_slice(reply.body.as_bytes());
        self.objects.put(&key, "application/json", bytes).await?;
        let length = reply.body.len().to_string();
        attributes.insert(
            SizeAttribute::default().as_str().to_owned(),
            attribute(cloakroom_sqs_extended_client::attributes::DATA_TYPE, length),
        );
        let pointer = Pointer::new(self.bucket.clone(), key).to_body(PointerClass::default());
        Ok((pointer, attributes))
    }
}

fn attribute(data_type: &str, value: String) -> MessageAttributeValue {
    MessageAttributeValue::builder()
        .data_type(data_type)
        .string_value(value)
        .build()
        .expect("its type is set")
}

#[async_trait]
impl ReplyQueues for SqsReplies {
    /// The receiver of a FIFO queue gets the replies of a job in order, and each event once. A standard queue may
    /// deliver a reply twice: the attribute `id` identifies it.
    async fn send_reply(&self, queue: &ReplyQueue, reply: Reply) -> Result<bool, PortError> {
        let Some(url) = self.queues.get(queue) else {
            return Ok(false);
        };
        let (body, attributes) = self.encode(&reply).await?;
        let mut message = self
            .client
            .get_or_init(|| self.clients.sqs())
            .send_message()
            .queue_url(url)
            .message_body(body)
            .set_message_attributes(Some(attributes));
        if url.strip_suffix(".fifo").is_some() {
            // An id has a character that SQS does not accept here.
            let id = Digest::from_content(reply.id.as_bytes()).to_string();
            message = message
                .message_group_id(reply.job.id.to_string())
                .message_deduplication_id(id);
        }
        match message.send().await {
            Ok(_) => Ok(true),
            Err(error) => Err(port_error(QUEUE, &error)),
        }
    }
}
