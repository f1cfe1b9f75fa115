//! The account that the services serve.

/// Access key that the S3 service knows.
pub const ACCESS_KEY: &str = "cloakroom";

/// Secret that belongs to [`ACCESS_KEY`]. It protects nothing but a loopback port.
pub const SECRET_KEY: &str = "cloakroom-on-this-machine";

/// Region for the SDK clients. ARNs of queues contain it.
pub const REGION: &str = "us-east-1";

/// Account in queue URLs and ARNs.
pub const ACCOUNT: &str = "000000000000";
