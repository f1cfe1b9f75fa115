use std::convert::Infallible;

use futures::stream::{self, Stream};
use http_body_util::StreamBody;
use tokio::time::Instant;

use super::*;

fn request<S>(pieces: S) -> Request<StreamBody<S>>
where
    S: Stream<Item = Result<Frame<Bytes>, Infallible>>,
{
    Request::new(StreamBody::new(pieces))
}

fn pieces(count: usize) -> impl Stream<Item = Result<Frame<Bytes>, Infallible>> + Unpin {
    stream::iter((0..count).map(|_| Ok(Frame::data(Bytes::from_static(b"piece")))))
}

#[tokio::test]
async fn the_rest_of_a_body_is_received_whether_some_of_it_was_read_or_none() {
    for read in [0, 1, 3] {
        let (request, rest) = watch(request(pieces(3)));
        let mut body = request.into_body();
        for _ in 0..read {
            body.frame().await.expect("a piece").expect("no error");
        }
        drop(body);
        assert!(rest.discard().await, "{read}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_waits_for_100_is_not_asked_for_its_body() {
    let mut request = request(stream::pending());
    request
        .headers_mut()
        .insert(EXPECT, HeaderValue::from_static("100-Continue"));
    let begun = Instant::now();
    let (request, rest) = watch(request);
    drop(request);
    assert!(!rest.discard().await);
    assert_eq!(begun.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_stops_coming_is_waited_for_only_shortly() {
    let begun = Instant::now();
    let (request, rest) = watch(request(stream::pending()));
    drop(request);
    assert!(!rest.discard().await);
    assert_eq!(begun.elapsed(), PAUSE_TIMEOUT);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_never_ends_is_received_within_bounds_of_time_and_of_bytes() {
    let begun = Instant::now();
    let drip = stream::unfold((), |()| async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        Some((Ok(Frame::data(Bytes::from_static(b"x"))), ()))
    });
    let (slow, rest) = watch(request(Box::pin(drip)));
    drop(slow);
    assert!(!rest.discard().await);
    assert_eq!(begun.elapsed(), DISCARD_TIMEOUT);

    let piece = Bytes::from(vec![0; 1024 * 1024]);
    let flood = stream::repeat_with(move || Ok(Frame::data(piece.clone())));
    let (fast, rest) = watch(request(flood));
    drop(fast);
    assert!(!rest.discard().await);
    assert_eq!(begun.elapsed(), DISCARD_TIMEOUT);
}
