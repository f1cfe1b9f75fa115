//! The price table: us-east-1, before taxes, of the first tier of volume, without free tiers.

use super::{Api, Architecture, Workload};

/// The region that the prices are of.
pub const REGION: &str = "us-east-1";

/// The month that the prices are of.
pub const AS_OF: &str = "2026-11";

/// What is billed, in the order of a bill.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Meter {
    /// Requests to the API.
    Requests,
    /// Invocations of the functions that answer HTTP.
    HttpInvocations,
    /// Their time by their memory.
    HttpTime,
    /// Invocations of the worker.
    WorkerInvocations,
    /// Its time by its memory.
    WorkerTime,
    /// Invocations of the sweeper.
    SweeperInvocations,
    /// Requests to the queue, by 64 KiB.
    Messages,
    /// Receives that find nothing, while no job waits.
    EmptyReceives,
    /// Writes, by 1 KiB.
    Writes,
    /// Strongly consistent reads, by 4 KiB.
    Reads,
    /// The sweeper's reads.
    SweeperReads,
    /// Objects that are written.
    Puts,
    /// Objects that are read.
    Gets,
    /// Objects that are kept.
    Storage,
    /// What is logged.
    Logs,
    /// Results that leave AWS.
    Transfer,
}

/// What one unit costs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Price {
    /// Whose price.
    pub service: &'static str,
    /// Of what.
    pub of: &'static str,
    /// Dollars.
    pub dollars: f64,
    /// For how many.
    pub per: Per,
    /// The page that says so.
    pub source: &'static str,
}

/// What a price is for.
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
    /// How many units.
    pub const fn units(self) -> f64 {
        match self {
            Self::Million => 1e6,
            Self::Gigabyte | Self::GigabyteMonth => 1.0,
        }
    }

    /// As in "dollars per …".
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

/// Every price.
pub const TABLE: [Price; 13] = [
    REST_REQUEST,
    HTTP_REQUEST,
    INVOCATION,
    ARM64,
    X86,
    MESSAGE,
    WRITE,
    READ,
    PUT,
    GET,
    STORAGE,
    LOG,
    TRANSFER,
];

impl Meter {
    /// Its price in a deployment.
    pub const fn price(self, workload: &Workload) -> Price {
        match (self, workload.api, workload.architecture) {
            (Self::Requests, Api::Rest, _) => REST_REQUEST,
            (Self::Requests, Api::Http, _) => HTTP_REQUEST,
            (Self::HttpInvocations | Self::WorkerInvocations | Self::SweeperInvocations, ..) => {
                INVOCATION
            }
            (Self::HttpTime | Self::WorkerTime, _, Architecture::Arm64) => ARM64,
            (Self::HttpTime | Self::WorkerTime, _, Architecture::X86) => X86,
            (Self::Messages | Self::EmptyReceives, ..) => MESSAGE,
            (Self::Writes, ..) => WRITE,
            (Self::Reads | Self::SweeperReads, ..) => READ,
            (Self::Puts, ..) => PUT,
            (Self::Gets, ..) => GET,
            (Self::Storage, ..) => STORAGE,
            (Self::Logs, ..) => LOG,
            (Self::Transfer, ..) => TRANSFER,
        }
    }

    /// What it bills in a deployment, in words.
    pub const fn what(self, workload: &Workload) -> &'static str {
        match self {
            Self::HttpInvocations => "invocations of submit, status",
            Self::HttpTime => "GB-seconds of submit, status",
            Self::WorkerInvocations => "invocations of the worker",
            Self::WorkerTime => "GB-seconds of the worker",
            Self::SweeperInvocations => "invocations of the sweeper",
            Self::SweeperReads => "reads of the sweeper",
            Self::EmptyReceives => "receives while no job waits",
            Self::Storage => "GB-months",
            Self::Logs => "GB of logs",
            Self::Transfer => "GB of results to the internet",
            Self::Requests
            | Self::Messages
            | Self::Writes
            | Self::Reads
            | Self::Puts
            | Self::Gets => self.price(workload).of,
        }
    }
}
