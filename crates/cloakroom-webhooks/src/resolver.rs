//! Name resolution that only returns allowed addresses.

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use crate::PostError;

/// Addresses of a host, when they are known.
pub(crate) type Looking = Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send>>;

/// Source of addresses.
pub(crate) trait Lookup: Send + Sync {
    fn addresses(&self, host: &str) -> Looking;
}

/// The operating system's resolver.
pub(crate) struct SystemLookup;

impl Lookup for SystemLookup {
    fn addresses(&self, host: &str) -> Looking {
        let host = host.to_owned();
        Box::pin(async move {
            let found = tokio::net::lookup_host((host.as_str(), 0)).await?;
            Ok(found.map(|addr| addr.ip()).collect())
        })
    }
}

/// Resolver that fails if one address of a host is not allowed.
///
/// The HTTP client only connects to the addresses that it gets from here, so a name is never resolved a second time between
/// check and connection. It does not resolve IP addresses: [`check_url`](crate::check_url) decides on those.
#[derive(Clone)]
pub(crate) struct Resolver {
    lookup: Arc<dyn Lookup>,
    is_allowed: fn(IpAddr) -> bool,
}

impl Resolver {
    pub(crate) fn new(lookup: impl Lookup + 'static, is_allowed: fn(IpAddr) -> bool) -> Self {
        Self {
            lookup: Arc::new(lookup),
            is_allowed,
        }
    }
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let looking = self.lookup.addresses(name.as_str());
        let is_allowed = self.is_allowed;
        Box::pin(async move {
            let found = looking.await.map_err(|_| PostError::UnknownHost)?;
            if found.is_empty() {
                return Err(PostError::UnknownHost.into());
            }
            // A host with one private address is suspect: reject it, instead of connecting to the others.
            if !found.iter().copied().all(is_allowed) {
                return Err(PostError::ForbiddenAddress.into());
            }
            // Port 0 stands for the port of the URL.
            let addrs = found.into_iter().map(|addr| SocketAddr::new(addr, 0));
            Ok(Box::new(addrs) as Addrs)
        })
    }
}
