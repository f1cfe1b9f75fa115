//! Ports of the previous start: they are part of presigned URLs, which should remain valid after a restart.

use std::io;
use std::net::Ipv4Addr;
use std::path::Path;

use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;

use crate::net::listen;

const FILE: &str = "ports.json";

/// Ports as stored in the directory. Zero means any port.
#[derive(Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Ports {
    dynamodb: u16,
    sqs: u16,
    s3: u16,
}

pub(crate) struct Listeners {
    pub(crate) dynamodb: TcpListener,
    pub(crate) sqs: TcpListener,
    pub(crate) s3: TcpListener,
}

/// Listens on the stored ports, or on others if those are not free. Stores the ports for the next start.
pub(crate) fn listen_on_last_ports(folder: Option<&Path>) -> io::Result<Listeners> {
    let file = folder.map(|folder| folder.join(FILE));
    // A missing or damaged file is harmless: other ports are used.
    let last: Ports = file
        .as_ref()
        .and_then(|file| std::fs::read(file).ok())
        .and_then(|text| serde_json::from_slice(&text).ok())
        .unwrap_or_default();
    let listeners = Listeners {
        dynamodb: listen_on(last.dynamodb)?,
        sqs: listen_on(last.sqs)?,
        s3: listen_on(last.s3)?,
    };
    let now = Ports {
        dynamodb: listeners.dynamodb.local_addr()?.port(),
        sqs: listeners.sqs.local_addr()?.port(),
        s3: listeners.s3.local_addr()?.port(),
    };
    if let Some(file) = file
        && now != last
        && let Err(error) = serde_json::to_vec(&now)
            .map_err(io::Error::from)
            .and_then(|text| std::fs::write(&file, text))
    {
        tracing::warn!(%error, file = %file.display(), "failed to store the ports; presigned URLs expire with this process");
    }
    Ok(listeners)
}

/// Listens on this port of 127.0.0.1 if it is free, or else on another one.
fn listen_on(port: u16) -> io::Result<TcpListener> {
    let listen = |port| listen((Ipv4Addr::LOCALHOST, port).into());
    listen(port).or_else(|_| listen(0))
}
