//! Listening and serving: one HTTP/1.1 server for the embedded services and for the dev runner's own API.
//!
//! It does what `axum::serve` does not:
//! - a request body that the service left unread is received before the answer goes out (`body`), so that a client that
//!   sends everything before it reads sees the answer and not a reset connection;
//! - `Date` follows the machine's clock. hyper keeps the last `Date` until the clock has passed it;
//! - what hyper rejects before any service gets the answer that the host chooses (`wire`).

mod body;
mod date;
mod rejection;
mod wire;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Either;
use hyper::body::Incoming;
use hyper::header::{CONNECTION, DATE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioTimer;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

pub use body::RequestBody;
pub use rejection::RejectionResponse;
pub(crate) use rejection::empty_rejection;

use body::Rest;
use date::date;
use wire::{Lingering, Wire};

/// Time that requests in progress get to finish after the server was stopped. Then they are answered with 503.
pub const GRACE: Duration = Duration::from_secs(5);

/// Time after [`GRACE`] for the last responses to be sent. Then connections are closed.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(1);

/// Becomes ready when the server must end: the sender sent `true`, or was dropped.
#[derive(Clone, Debug)]
pub struct Stop(watch::Receiver<bool>);

impl Stop {
    /// Sending `true`, or dropping the sender, stops the servers that have the receiver.
    pub fn channel() -> (watch::Sender<bool>, Stop) {
        let (tell, heard) = watch::channel(false);
        (tell, Stop(heard))
    }

    /// Waits for the end.
    pub async fn stopped(mut self) {
        // An error says that the sender is gone: the services were dropped.
        let _ = self.0.wait_for(|stop| *stop).await;
    }
}

/// Listens on an address. Port 0 lets the system choose.
///
/// `TCP_NODELAY` is set on the listener, whose connections inherit it: the DynamoDB server accepts its
/// own. Without it an answer in two writes waits for the peer's delayed acknowledgement (S3 GET: 23 ms
/// instead of 2).
pub fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        TcpSocket::new_v6()?
    };
    socket.set_nodelay(true)?;
    // A port of last time is still in TIME_WAIT. (On Windows the option would allow two listeners.)
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(1024)
}

/// Serves until stopped, then lets requests in progress finish within [`GRACE`].
pub async fn serve<S, F, B>(
    listener: TcpListener,
    service: S,
    refuse: RejectionResponse,
    stop: Stop,
) where
    S: Fn(Request<RequestBody>) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Response<B>> + Send + 'static,
    B: hyper::body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let mut connections = JoinSet::new();
    let stopped = stop.clone().stopped();
    tokio::pin!(stopped);
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(connection(stream, service.clone(), Arc::clone(&refuse), stop.clone()));
                }
                // Out of file handles, mostly: give the others time to close theirs.
                Err(error) => {
                    tracing::warn!(%error, "failed to accept a connection");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            },
            Some(_) = connections.join_next() => {}
            () = &mut stopped => break,
        }
    }
    drop(listener);
    let finished = async { while connections.join_next().await.is_some() {} };
    // Connections that are open after this time are closed with the set.
    let _ = tokio::time::timeout(GRACE + FLUSH_TIMEOUT, finished).await;
}

async fn connection<S, F, B>(stream: TcpStream, service: S, refuse: RejectionResponse, stop: Stop)
where
    S: Fn(Request<RequestBody>) -> F + Send + Sync + 'static,
    F: Future<Output = Response<B>> + Send + 'static,
    B: hyper::body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "failed to set TCP_NODELAY");
    }
    let lingering = Lingering::default();
    let wire = Wire::new(stream, Arc::clone(&refuse), Arc::clone(&lingering));
    let ending = stop.clone();
    let service = service_fn(move |request: Request<Incoming>| {
        let path = request.uri().path().to_owned();
        let (request, rest) = body::watch(request);
        let (answer, refuse) = (service(request), Arc::clone(&refuse));
        let (ending, lingering) = (ending.clone(), Arc::clone(&lingering));
        async move {
            let response = tokio::select! {
                response = answer => response.map(Either::Left),
                () = grace_expired(ending) => refuse(StatusCode::SERVICE_UNAVAILABLE, &path).map(Either::Right),
            };
            Ok::<_, std::convert::Infallible>(finish(response, rest, &lingering).await)
        }
    });
    let mut http = http1::Builder::new();
    let served = http
        .timer(TokioTimer::new())
        .auto_date_header(false)
        .serve_connection(wire, service);
    tokio::pin!(served);
    let ended = tokio::select! {
        ended = served.as_mut() => ended,
        () = stop.stopped() => {
            served.as_mut().graceful_shutdown();
            served.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection broke");
    }
}

/// Receives the rest of the request, and dates the answer.
async fn finish<B>(mut response: Response<B>, rest: Rest, lingering: &Lingering) -> Response<B> {
    if !rest.discard().await {
        // Most of it may be still on its way: the connection can't be used again, and is closed slowly.
        lingering.store(true, Ordering::Relaxed);
        response
            .headers_mut()
            .insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response.headers_mut().insert(DATE, date());
    response
}

async fn grace_expired(stop: Stop) {
    stop.stopped().await;
    tokio::time::sleep(GRACE).await;
}
