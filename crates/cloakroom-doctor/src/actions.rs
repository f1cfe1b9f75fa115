//! IAM actions that the doctor needs.

/// IAM actions for all calls of the doctor.
pub const ACTIONS: [&str; 12] = [
    "dynamodb:DescribeContinuousBackups",
    "dynamodb:DescribeTable",
    "dynamodb:DescribeTimeToLive",
    "lambda:GetAccountSettings",
    "lambda:GetFunctionConfiguration",
    "lambda:ListEventSourceMappings",
    "s3:GetBucketPublicAccessBlock",
    "s3:GetEncryptionConfiguration",
    "s3:GetLifecycleConfiguration",
    "s3:ListBucket",
    "sqs:GetQueueAttributes",
    "sqs:GetQueueUrl",
];
