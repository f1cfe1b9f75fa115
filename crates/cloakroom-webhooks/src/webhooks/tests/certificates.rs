//! Certificates of servers, and whether the sender accepts them.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use bytes::Bytes;
use reqwest::Certificate;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::server::{Server, read_request, until_closed, write};
use crate::resolver::{Looking, Lookup, Resolver};
use crate::webhooks::builder;
use crate::{PostError, Reach, Webhooks};

/// A self-signed certificate of `hooks.example.com`, valid until 2125.
const CERTIFICATE: &[u8] = include_bytes!("certificate.der");

const KEY: &[u8] = include_bytes!("key.der");

/// DNS server that knows each name by the same address.
struct Loopback;

impl Lookup for Loopback {
    fn addresses(&self, _: &str) -> Looking {
        Box::pin(async { Ok(vec![IpAddr::V4(Ipv4Addr::LOCALHOST)]) })
    }
}

/// Returns a sender that trusts the certificate.
fn trusting() -> Webhooks {
    let certificate = Certificate::from_der(CERTIFICATE).expect("a certificate");
    let resolver = Resolver::new(Loopback, |_| true);
    let client = builder(&resolver).tls_certs_only([certificate]).build();
    Webhooks {
        reach: Reach::Local,
        client: client.expect("a client"),
    }
}

/// Posts to a server with the certificate that is reached by this name.
async fn post(webhooks: &Webhooks, name: &str) -> Result<u16, PostError> {
    let server = Server::bind();
    let url = format!("https://{name}:{}/", server.addr.port());
    let key = PrivateKeyDer::try_from(KEY).expect("a key");
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![CertificateDer::from(CERTIFICATE)], key)
        .expect("the key of the certificate");
    let serving = tokio::spawn(async move {
        let stream = server.accept().await;
        // The client ends the handshake if it does not accept the certificate.
        let Ok(mut stream) = TlsAcceptor::from(Arc::new(config)).accept(stream).await else {
            return;
        };
        read_request(&mut stream).await;
        let response = write(&mut stream, "HTTP/1.1 200 OK\r\n\r\n").await;
        response.expect("sent");
        until_closed(&mut stream).await;
    });
    let posted = webhooks.post(&url, &[], Bytes::new()).await;
    serving.await.expect("the connection is closed");
    posted
}

#[tokio::test]
async fn only_a_trusted_certificate_of_the_host_is_accepted() {
    assert_eq!(post(&trusting(), "hooks.example.com").await, Ok(200));
    let foreign = post(&trusting(), "hooks.example.org").await;
    assert_eq!(foreign, Err(PostError::Tls), "of another host");
    let production = Webhooks::with_lookup(Reach::Local, Loopback);
    let untrusted = post(&production, "hooks.example.com").await;
    assert_eq!(untrusted, Err(PostError::Tls), "self-signed");
}
