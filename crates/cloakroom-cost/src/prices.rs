//! Price table: us-east-1, without taxes, in the first volume tier, without free tiers.

use super::{Api, Architecture, Workload};

/// Region of the prices.
pub const REGION: &str = "us-east-1";

/// Month of the prices.
pub const AS_OF: &str = "2026-11";

/// A billed quantity, in the order of a bill.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Meter {
    /// Requests to the API.
    Requests,
    /// Invocations of the functions that handle HTTP requests.
    HttpInvocations,
    /// Duration of those invocations, multiplied by memory.
    HttpTime,
    /// Invocations of the worker.
    WorkerInvocations,
    /// Duration of the worker's invocations, multiplied by memory.
    WorkerTime,
    /// Invocations of the sweeper.
    SweeperInvocations,
    /// Invocations of the function that streams events.
    EventsInvocations,
    /// Duration of those invocations, multiplied by memory.
    EventsTime,
    /// Invocations of the functions that notify listeners.
    NotifyInvocations,
    /// Duration of those invocations, multiplied by memory.
    NotifyTime,
    /// Requests to the queue, per 64 KiB.
    Messages,
    /// Requests to the queue of deliveries and to reply queues, per 64 KiB.
    DeliveryMessages,
    /// Empty receives, while no job waits.
    EmptyReceives,
    /// Events on the bus, per 64 KiB.
    BusEvents,
    /// Writes, per 1 KiB.
    Writes,
    /// Strongly consistent reads, per 4 KiB.
    Reads,
    /// Reads of the sweeper.
    SweeperReads,
    /// Reads of streams of events, per 4 KiB.
    EventsReads,
    /// Writes of records of deliveries, per 1 KiB.
    DeliveryWrites,
    /// Reads of records of deliveries, per 4 KiB.
    DeliveryReads,
    /// Objects written.
    Puts,
    /// Objects read.
    Gets,
    /// Objects stored.
    Storage,
    /// Logs.
    Logs,
    /// Results transferred out of AWS.
    Transfer,
}

/// Price of a unit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Price {
    /// Name of the service.
    pub service: &'static str,
    /// Billed quantity.
    pub of: &'static str,
    /// Price in dollars.
    pub dollars: f64,
    /// Number of units for that price.
    pub per: Per,
    /// URL of the page with the price.
    pub source: &'static str,
}

/// Reference quantity of a price.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Per {
    /// A million.
    Million,
    /// 2^30 bytes.
    Gigabyte,
    /// 2^30 bytes, for a month.
    GigabyteMonth,
}

impl Per {
    /// Returns the number of units.
    pub const fn units(self) -> f64 {
        match self {
            Self::Million => 1e6,
            Self::Gigabyte | Self::GigabyteMonth => 1.0,
        }
    }

    /// Returns the name of the quantity, as in "dollars per …".
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Million => "million",
            Self::Gigabyte => "GB",
            Self::GigabyteMonth => "GB-month",
        }
    }
}

const fn price(
    service: &'static str,
    of: &'static str,
    dollars: f64,
    per: Per,
    source: &'static str,
) -> Price {
    Price {
        service,
        of,
        dollars,
        per,
        source,
    }
}

const GATEWAY: &str = "https://aws.amazon.com/api-gateway/pricing/";
const LAMBDA: &str = "https://aws.amazon.com/lambda/pricing/";
const SQS: &str = "https://aws.amazon.com/sqs/pricing/";
const EVENTBRIDGE: &str = "https://aws.amazon.com/eventbridge/pricing/";
const DYNAMODB: &str = "https://aws.amazon.com/dynamodb/pricing/on-demand/";
const S3: &str = "https://aws.amazon.com/s3/pricing/";
const CLOUDWATCH: &str = "https://aws.amazon.com/cloudwatch/pricing/";
const EC2: &str = "https://aws.amazon.com/ec2/pricing/on-demand/";

const REST_REQUEST: Price = price(
    "API Gateway",
    "requests to a REST API",
    3.50,
    Per::Million,
    GATEWAY,
);
const HTTP_REQUEST: Price = price(
    "API Gateway",
    "requests to an HTTP API, by 512 KiB",
    1.00,
    Per::Million,
    GATEWAY,
);
const INVOCATION: Price = price("Lambda", "invocations", 0.20, Per::Million, LAMBDA);
const ARM64: Price = price("Lambda", "GB-seconds on arm64", 13.33, Per::Million, LAMBDA);
const X86: Price = price(
    "Lambda",
    "GB-seconds on x86_64",
    16.67,
    Per::Million,
    LAMBDA,
);
pub(super) const MESSAGE: Price = price("SQS", "requests, by 64 KiB", 0.40, Per::Million, SQS);
const EVENT: Price = price(
    "EventBridge",
    "custom events, by 64 KiB",
    1.00,
    Per::Million,
    EVENTBRIDGE,
);
const WRITE: Price = price(
    "DynamoDB",
    "writes, by 1 KiB",
    0.625,
    Per::Million,
    DYNAMODB,
);
const READ: Price = price("DynamoDB", "reads, by 4 KiB", 0.125, Per::Million, DYNAMODB);
pub(super) const PUT: Price = price("S3", "puts and copies", 5.00, Per::Million, S3);
pub(super) const GET: Price = price("S3", "gets and heads", 0.40, Per::Million, S3);
pub(super) const STORAGE: Price = price("S3", "storage", 0.023, Per::GigabyteMonth, S3);
const LOG: Price = price("CloudWatch", "logs", 0.50, Per::Gigabyte, CLOUDWATCH);
const TRANSFER: Price = price(
    "Data transfer",
    "results to the internet",
    0.09,
    Per::Gigabyte,
    EC2,
);

/// All prices.
pub const TABLE: [Price; 14] = [
    REST_REQUEST,
    HTTP_REQUEST,
    INVOCATION,
    ARM64,
    X86,
    MESSAGE,
    EVENT,
    WRITE,
    READ,
    PUT,
    GET,
    STORAGE,
    LOG,
    TRANSFER,
];

impl Meter {
    /// Returns the price of this meter for a workload.
    pub const fn price(self, workload: &Workload) -> Price {
        match (self, workload.api, workload.architecture) {
            (Self::Requests, Api::Rest, _) => REST_REQUEST,
            (Self::Requests, Api::Http, _) => HTTP_REQUEST,
            (
                Self::HttpInvocations
                | Self::WorkerInvocations
                | Self::SweeperInvocations
                | Self::EventsInvocations
                | Self::NotifyInvocations,
                ..,
            ) => INVOCATION,
            (
                Self::HttpTime | Self::WorkerTime | Self::EventsTime | Self::NotifyTime,
                _,
                Architecture::Arm64,
            ) => ARM64,
            (
                Self::HttpTime | Self::WorkerTime | Self::EventsTime | Self::NotifyTime,
                _,
                Architecture::X86,
            ) => X86,
            (Self::Messages | Self::DeliveryMessages | Self::EmptyReceives, ..) => MESSAGE,
            (Self::BusEvents, ..) => EVENT,
            (Self::Writes | Self::DeliveryWrites, ..) => WRITE,
            (Self::Reads | Self::SweeperReads | Self::EventsReads | Self::DeliveryReads, ..) => {
                READ
            }
            (Self::Puts, ..) => PUT,
            (Self::Gets, ..) => GET,
            (Self::Storage, ..) => STORAGE,
            (Self::Logs, ..) => LOG,
            (Self::Transfer, ..) => TRANSFER,
        }
    }

    /// Returns a description of what this meter bills for a workload.
    pub const fn what(self, workload: &Workload) -> &'static str {
        match self {
            Self::HttpInvocations => "invocations of submit, status",
            Self::HttpTime => "GB-seconds of submit, status",
            Self::WorkerInvocations => "invocations of the worker",
            Self::WorkerTime => "GB-seconds of the worker",
            Self::SweeperInvocations => "invocations of the sweeper",
            Self::SweeperReads => "reads of the sweeper",
            Self::EventsInvocations => "invocations of events",
            Self::EventsTime => "GB-seconds of events",
            Self::NotifyInvocations => "invocations of publisher, deliver",
            Self::NotifyTime => "GB-seconds of publisher, deliver",
            Self::DeliveryMessages => "requests for deliveries, by 64 KiB",
            Self::EventsReads => "reads of events",
            Self::DeliveryWrites => "writes of deliveries, by 1 KiB",
            Self::DeliveryReads => "reads of deliveries, by 4 KiB",
            Self::EmptyReceives => "receives while no job waits",
            Self::Storage => "GB-months",
            Self::Logs => "GB of logs",
            Self::Transfer => "GB of results to the internet",
            Self::Requests
            | Self::Messages
            | Self::BusEvents
            | Self::Writes
            | Self::Reads
            | Self::Puts
            | Self::Gets => self.price(workload).of,
        }
    }
}
