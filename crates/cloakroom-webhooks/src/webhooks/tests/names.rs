//! Names, the addresses that they resolve to, and the addresses that are connected to.

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex};

use bytes::Bytes;

use super::server::{LOCAL, Server};
use crate::resolver::{Looking, Lookup, Resolver, SystemLookup};
use crate::{PostError, Reach, Webhooks};

const NAME: &str = "hooks.example.com";

/// Stands for a public address where a test must connect.
const ALLOWED: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// Stands for a private address.
const FORBIDDEN: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));

const PUBLIC: IpAddr = IpAddr::V4(Ipv4Addr::new(8, 8, 8, 8));

/// DNS server with one answer for each lookup. It fails when it has no more.
#[derive(Clone, Default)]
struct Answers {
    next: Arc<Mutex<VecDeque<Vec<IpAddr>>>>,
    names: Arc<Mutex<Vec<String>>>,
}

impl Answers {
    fn new<const N: usize>(answers: [&[IpAddr]; N]) -> Self {
        Self {
            next: Arc::new(Mutex::new(answers.map(<[_]>::to_vec).into())),
            names: Arc::default(),
        }
    }

    fn lookups(&self) -> usize {
        self.names.lock().expect("a lock").len()
    }

    /// Returns a sender with the rules of production.
    fn public(&self) -> Webhooks {
        Webhooks::with_lookup(Reach::Public, self.clone())
    }

    /// Returns a sender that uses HTTP, and only connects to [`ALLOWED`].
    fn local(&self) -> Webhooks {
        let resolver = Resolver::new(self.clone(), |addr| addr == ALLOWED);
        Webhooks::with_resolver(Reach::Local, &resolver)
    }
}

impl Lookup for Answers {
    fn addresses(&self, host: &str) -> Looking {
        self.names.lock().expect("a lock").push(host.to_owned());
        let answer = self.next.lock().expect("a lock").pop_front();
        Box::pin(async move { answer.ok_or_else(|| io::Error::other("NXDOMAIN for 10.0.0.2")) })
    }
}

async fn post(webhooks: &Webhooks, url: &str) -> Result<u16, PostError> {
    webhooks.post(url, &[], Bytes::new()).await
}

#[tokio::test]
async fn a_name_of_a_private_address_is_rejected() {
    let server = Server::bind();
    for addr in [
        "127.0.0.1",
        "10.0.0.1",
        "169.254.169.254",
        "::1",
        "fd00:ec2::254",
    ] {
        let answers = Answers::new([&[addr.parse().expect("an address")]]);
        let url = format!("https://{NAME}:{}/", server.addr.port());
        let posted = post(&answers.public(), &url).await;
        assert_eq!(posted, Err(PostError::ForbiddenAddress), "{addr}");
    }
    server.assert_no_connection();
}

#[tokio::test]
async fn a_name_with_one_private_address_among_others_is_rejected() {
    let server = Server::bind();
    let url = format!("http://{NAME}:{}/", server.addr.port());
    for found in [[ALLOWED, FORBIDDEN], [FORBIDDEN, ALLOWED]] {
        let posted = post(&Answers::new([&found]).local(), &url).await;
        assert_eq!(posted, Err(PostError::ForbiddenAddress), "{found:?}");
    }
    for found in [[PUBLIC, ALLOWED], [ALLOWED, PUBLIC]] {
        let url = format!("https://{NAME}:{}/", server.addr.port());
        let posted = post(&Answers::new([&found]).public(), &url).await;
        assert_eq!(posted, Err(PostError::ForbiddenAddress), "{found:?}");
    }
    server.assert_no_connection();
}

#[tokio::test]
async fn the_connection_uses_the_address_that_was_checked() {
    let checked = Server::bind();
    let port = checked.addr.port();
    let serving = checked.respond("HTTP/1.1 200 OK\r\n\r\n");
    let answers = Answers::new([&[ALLOWED], &[FORBIDDEN]]);
    let posted = post(&answers.local(), &format!("http://{NAME}:{port}/")).await;
    assert_eq!((posted, answers.lookups()), (Ok(200), 1));
    let request = serving.await.expect("a request");
    assert!(
        request.contains(&format!("host: {NAME}:{port}\r\n")),
        "{request}"
    );
}

#[tokio::test]
async fn the_next_address_is_used_if_one_does_not_respond() {
    let server = Server::bind();
    let url = format!("http://{NAME}:{}/", server.addr.port());
    let serving = server.respond("HTTP/1.1 200 OK\r\n\r\n");
    // No server has this port there: the whole network is loopback.
    let down = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
    let answers = Answers::new([&[down, ALLOWED]]);
    let webhooks = Webhooks::with_lookup(Reach::Local, answers);
    assert_eq!(post(&webhooks, &url).await, Ok(200));
    serving.await.expect("the connection is closed");
}

#[tokio::test]
async fn each_call_checks_the_address_again() {
    let checked = Server::bind();
    let port = checked.addr.port();
    let serving = checked.respond("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
    let answers = Answers::new([&[ALLOWED], &[FORBIDDEN]]);
    let (webhooks, url) = (answers.local(), format!("http://{NAME}:{port}/"));
    assert_eq!(post(&webhooks, &url).await, Ok(200));
    serving.await.expect("the connection is closed");
    let again = post(&webhooks, &url).await;
    assert_eq!(
        (again, answers.lookups()),
        (Err(PostError::ForbiddenAddress), 2)
    );
}

#[tokio::test]
async fn a_name_without_an_address_is_reported() {
    let url = format!("https://{NAME}/");
    for answers in [Answers::new([]), Answers::new([&[]])] {
        let error = post(&answers.public(), &url).await.expect_err("unknown");
        assert_eq!(error.to_string(), "the host name could not be resolved");
    }
}

#[tokio::test]
async fn an_address_in_the_url_is_checked_without_a_lookup() {
    let server = Server::bind();
    let answers = Answers::new([&[PUBLIC]]);
    for host in ["127.0.0.1", "0x7f000001", "[::ffff:7f00:1]", "localhost"] {
        let url = format!("https://{host}:{}/", server.addr.port());
        let posted = post(&answers.public(), &url).await;
        assert_eq!(posted, Err(PostError::ForbiddenAddress), "{host}");
    }
    assert_eq!(answers.lookups(), 0);
    server.assert_no_connection();
}

#[tokio::test]
async fn a_url_that_is_not_valid_is_not_resolved() {
    let answers = Answers::new([&[PUBLIC]]);
    for url in ["http://hooks.example.com/", "https://a@b/", "hooks"] {
        let posted = post(&answers.public(), url).await;
        assert_eq!(posted, Err(PostError::InvalidUrl), "{url}");
    }
    assert_eq!(answers.lookups(), 0);
}

#[tokio::test]
async fn the_operating_system_resolves_names_to_addresses_of_both_families() {
    for addr in ["::1", "127.0.0.1"] {
        let found = SystemLookup.addresses(addr).await.expect("an address");
        assert_eq!(found, [addr.parse::<IpAddr>().expect("an address")]);
    }
    let server = Server::bind();
    let url = format!("http://localhost:{}/", server.addr.port());
    let serving = server.respond("HTTP/1.1 200 OK\r\n\r\n");
    assert_eq!(post(&LOCAL, &url).await, Ok(200));
    serving.await.expect("the connection is closed");
}
