//! Account, credentials and region of the embedded services.

/// Access key of the S3 service.
pub const ACCESS_KEY: &str = "cloakroom";

/// Secret key for [`ACCESS_KEY`]. It only protects a loopback port.
pub const SECRET_KEY: &str = "cloakroom-on-this-machine";

/// Region for the SDK clients. It is part of the ARNs of queues.
pub const REGION: &str = "us-east-1";

/// Account id in queue URLs and ARNs.
pub const ACCOUNT: &str = "000000000000";
