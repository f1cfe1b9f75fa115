//! IAM actions that the doctor needs.

/// Every call that the doctor makes, by the IAM action that allows it.
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
