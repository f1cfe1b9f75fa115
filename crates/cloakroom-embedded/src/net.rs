//! HTTP/1.1 server of the embedded services and of the dev runner's API.
//!
//! It differs from `axum::serve`:
//! - It receives the unread rest of a request body before it responds (`body`). So a client that sends everything
//!   before it reads gets the response, not a reset connection.
//! - `Date` follows the system clock. hyper repeats the last `Date` until the clock has passed it.
//! - The host chooses the response to requests that hyper rejects before any service (`wire`).

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

/// Time for requests in progress to finish after the server was stopped. After that, they get a 503.
pub const GRACE: Duration = Duration::from_secs(5);

/// Time after [`GRACE`] for the last responses. After that, connections are closed.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(1);

/// Signal that the server must stop: the sender sent `true`, or was dropped.
#[derive(Clone, Debug)]
pub struct Stop(watch::Receiver<bool>);

impl Stop {
    /// Creates a signal. Sending `true` or dropping the sender stops the servers that have the receiver.
    pub fn channel() -> (watch::Sender<bool>, Stop) {
        let (tell, heard) = watch::channel(false);
        (tell, Stop(heard))
    }

    /// Waits for the signal.
    pub async fn stopped(mut self) {
        // An error means that the sender was dropped, with the services.
        let _ = self.0.wait_for(|stop| *stop).await;
    }
}

/// Listens on an address. With port 0, the operating system chooses the port.
///
/// Sets `TCP_NODELAY` on the listener, from which connections inherit it, because the DynamoDB server accepts its
/// connections itself. Without it, a response in two writes waits for the peer's delayed acknowledgement (S3 GET: 23 ms
/// instead of 2).
pub fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        TcpSocket::new_v6()?
    };
    socket.set_nodelay(true)?;
    // The port of the previous run may be in TIME_WAIT. (On Windows, the option would allow two listeners.)
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(1024)
}

/// Serves until it is stopped. Then requests in progress have the time [`GRACE`] to finish.
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
                // Usually, there are no file handles left: wait until others are closed.
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
    // Connections that are still open are closed when the set is dropped.
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

/// Receives the rest of the request, and sets the date of the response.
async fn finish<B>(mut response: Response<B>, rest: Rest, lingering: &Lingering) -> Response<B> {
    if !rest.discard().await {
        // Most of the body may still be in transit: the connection can't be reused, and is closed slowly.
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
