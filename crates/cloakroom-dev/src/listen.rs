//! `--listen`: a host (an address or a name) and a port.

use std::collections::BTreeSet;
use std::fmt;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::str::FromStr;

use cloakroom_embedded::net;
use tokio::net::TcpListener;

/// Host and port as given on the command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listen {
    host: String,
    port: u16,
}

impl FromStr for Listen {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "expected a host and a port, such as 127.0.0.1:9000, localhost:9000 or [::1]:9000; got '{text}'"
            )
        };
        if let Ok(address) = text.parse::<SocketAddr>() {
            return Ok(Self {
                host: address.ip().to_string(),
                port: address.port(),
            });
        }
        let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
        if host.is_empty() || !host.bytes().all(is_name) {
            return Err(wrong());
        }
        Ok(Self {
            host: host.to_owned(),
            port: port.parse().map_err(|_| wrong())?,
        })
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port } = self;
        if host.contains(':') {
            write!(f, "[{host}]:{port}")
        } else {
            write!(f, "{host}:{port}")
        }
    }
}

impl Listen {
    /// Listens on all addresses of the host (for `localhost`: `127.0.0.1` and `::1`), with the same port. Returns the
    /// listeners, and the host and port for URLs.
    pub(crate) async fn bind(&self) -> Result<(Vec<TcpListener>, Self), String> {
        let failed = |error: io::Error| {
            format!(
                "failed to listen on {self}: {error}; choose another address with --listen (port 0 selects a free port)"
            )
        };
        let found = tokio::net::lookup_host((self.host.as_str(), self.port)).await.map_err(|error| {
            format!(
                "failed to find the host {}: {error}; choose one of this machine, such as --listen 127.0.0.1:9000",
                self.host
            )
        })?;
        let mut listeners: Vec<TcpListener> = Vec::new();
        let (mut port, mut absent) = (self.port, None);
        // IPv4 first, whatever the order in which the system returns the addresses.
        for mut address in found.collect::<BTreeSet<_>>() {
            address.set_port(port);
            match net::listen(address) {
                Ok(listener) => {
                    port = listener.local_addr().map_err(failed)?.port();
                    listeners.push(listener);
                }
                Err(error)
                    if matches!(
                        error.kind(),
                        ErrorKind::AddrInUse | ErrorKind::PermissionDenied
                    ) =>
                {
                    return Err(failed(error));
                }
                // A name may have addresses that this machine does not have, for example `::1` if IPv6 is off.
                Err(error) => absent = Some(error),
            }
        }
        if listeners.is_empty() {
            return Err(failed(
                absent.unwrap_or_else(|| ErrorKind::AddrNotAvailable.into()),
            ));
        }
        Ok((
            listeners,
            Self {
                port,
                ..self.clone()
            },
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_an_address_or_a_name() {
        for text in [
            "127.0.0.1:9000",
            "localhost:9000",
            "[::1]:0",
            "0.0.0.0:80",
            "my-host.example:9000",
        ] {
            assert_eq!(
                text.parse::<Listen>()
                    .map(|listen| listen.to_string())
                    .as_deref(),
                Ok(text)
            );
        }
    }

    #[test]
    fn a_place_without_a_host_or_a_port_is_rejected_with_an_example() {
        for text in [
            "9000",
            ":9000",
            "localhost",
            "localhost:",
            "localhost:70000",
            "::1:9000",
            "http://localhost:9000",
            "",
        ] {
            let error = text.parse::<Listen>().expect_err(text);
            assert!(error.contains("such as 127.0.0.1:9000"), "{error}");
        }
    }

    #[tokio::test]
    async fn every_address_of_a_name_has_the_same_port() {
        let listen: Listen = "localhost:0".parse().expect("a place");
        let (listeners, place) = listen.bind().await.expect("a free port");
        for listener in listeners {
            let address = listener.local_addr().expect("it listens");
            assert!(address.ip().is_loopback());
            assert_eq!(format!("localhost:{}", address.port()), place.to_string());
        }
    }

    #[tokio::test]
    async fn a_port_that_is_taken_is_named() {
        let (_held, place) = "127.0.0.1:0"
            .parse::<Listen>()
            .expect("a place")
            .bind()
            .await
            .expect("a free port");
        let error = place.bind().await.expect_err("it is taken");
        assert!(
            error.starts_with(&format!("failed to listen on {place}: ")),
            "{error}"
        );
    }
}
