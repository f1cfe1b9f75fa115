//! Addresses and schemes that webhooks may use.

use std::net::IpAddr;

use crate::address::is_public;

/// Addresses that webhooks may reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Public addresses only, over HTTPS.
    Public,
    /// Also HTTP and any address: for the dev runner.
    Local,
}

impl Reach {
    /// Returns the rule that decides on an address.
    pub(crate) fn rule(self) -> fn(IpAddr) -> bool {
        match self {
            Self::Public => is_public,
            Self::Local => |_| true,
        }
    }

    pub(crate) fn allows_scheme(self, scheme: &str) -> bool {
        match self {
            Self::Public => scheme == "https",
            Self::Local => matches!(scheme, "http" | "https"),
        }
    }
}
