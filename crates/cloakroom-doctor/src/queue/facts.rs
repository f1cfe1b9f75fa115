//! Facts about a queue and its dead-letter queue, as SQS reports them.

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::QueueAttributeName;

use crate::answer::{Answer, Call, Stop};

/// Responses of SQS.
#[derive(Debug, Clone)]
pub(crate) struct Facts {
    pub(crate) url: String,
    pub(crate) queue: Answer<Queue>,
    /// Retention of the dead-letter queue, if the queue names one.
    pub(crate) dead_letters: Option<Answer<Duration>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Queue {
    pub(crate) arn: String,
    pub(crate) visibility: Duration,
    pub(crate) retention: Duration,
    pub(crate) redrive: Option<Redrive>,
}

/// Redrive policy of a queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Redrive {
    /// ARN of the dead-letter queue.
    pub(crate) arn: String,
    /// Maximum receive count: further receipts make a message a dead letter.
    pub(crate) receipts: u32,
}

impl Redrive {
    /// Parses the JSON value of the attribute.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let policy: serde_json::Value = serde_json::from_str(text).ok()?;
        let receipts = cloakroom_aws::max_receive_count(&policy)?;
        let arn = policy["deadLetterTargetArn"].as_str()?.to_owned();
        Some(Self {
            arn,
            receipts: u32::try_from(receipts).unwrap_or(u32::MAX),
        })
    }
}

/// Maximum retention of SQS.
pub(crate) const LONGEST_RETENTION: Duration = Duration::from_secs(14 * 24 * 3600);

/// Retention in the template, which is also the default of SQS.
pub(super) const USUAL_RETENTION: Duration = Duration::from_secs(4 * 24 * 3600);

/// Maximum receive count of a redrive policy.
pub(crate) const MOST_RECEIPTS: u32 = 1000;

const NOT_THERE: &[&str] = &[
    "AWS.SimpleQueueService.NonExistentQueue",
    "QueueDoesNotExist",
    "NonExistentQueue",
];

const GET: Call = Call {
    action: "sqs:GetQueueAttributes",
    absent: NOT_THERE,
};

pub(crate) async fn ask(client: &Client, url: &str) -> Result<Facts, Stop> {
    let queue = one(client, url).await?;
    let dead_letters = match queue.read().and_then(|queue| queue.redrive.as_ref()) {
        Some(redrive) => Some(letters_retention(client, redrive).await?),
        None => None,
    };
    Ok(Facts {
        url: url.to_owned(),
        queue,
        dead_letters,
    })
}

pub(crate) async fn one(client: &Client, url: &str) -> Result<Answer<Queue>, Stop> {
    Ok(attributes(client, url)
        .await?
        .map(|attributes| read(&attributes)))
}

type Attributes = HashMap<QueueAttributeName, String>;

async fn attributes(client: &Client, url: &str) -> Result<Answer<Attributes>, Stop> {
    let got = client
        .get_queue_attributes()
        .queue_url(url)
        .attribute_names(QueueAttributeName::All)
        .send()
        .await;
    Ok(Answer::from_result(GET, got)?.map(|got| got.attributes.unwrap_or_default()))
}

fn read(attributes: &Attributes) -> Queue {
    Queue {
        arn: attributes
            .get(&QueueAttributeName::QueueArn)
            .cloned()
            .unwrap_or_default(),
        visibility: time(attributes, &QueueAttributeName::VisibilityTimeout, 30),
        retention: time(
            attributes,
            &QueueAttributeName::MessageRetentionPeriod,
            USUAL_RETENTION.as_secs(),
        ),
        redrive: attributes
            .get(&QueueAttributeName::RedrivePolicy)
            .and_then(|text| Redrive::read(text)),
    }
}

fn time(attributes: &Attributes, name: &QueueAttributeName, default: u64) -> Duration {
    Duration::from_secs(
        attributes
            .get(name)
            .and_then(|text| text.parse().ok())
            .unwrap_or(default),
    )
}

/// Returns the last part of a URL or an ARN.
pub(crate) fn name(of: &str) -> &str {
    of.rsplit(['/', ':']).next().unwrap_or(of)
}

/// Requests the retention of the dead-letter queue.
async fn letters_retention(client: &Client, redrive: &Redrive) -> Result<Answer<Duration>, Stop> {
    let account = redrive
        .arn
        .rsplit(':')
        .nth(1)
        .filter(|account| !account.is_empty());
    let found = client.get_queue_url().queue_name(name(&redrive.arn));
    let found = found
        .set_queue_owner_aws_account_id(account.map(str::to_owned))
        .send()
        .await;
    let url = Answer::from_result(
        Call {
            action: "sqs:GetQueueUrl",
            absent: NOT_THERE,
        },
        found,
    )?;
    Ok(match url.map(|found| found.queue_url.unwrap_or_default()) {
        Answer::Is(url) => attributes(client, &url).await?.map(|attributes| {
            time(
                &attributes,
                &QueueAttributeName::MessageRetentionPeriod,
                345_600,
            )
        }),
        Answer::Absent => Answer::Absent,
        Answer::Denied(action, message) => Answer::Denied(action, message),
        Answer::Unknown(action) => Answer::Unknown(action),
        Answer::Unclear(reason) => Answer::Unclear(reason),
    })
}
