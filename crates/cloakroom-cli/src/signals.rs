//! Signals that end the program, for the parts that clean up first.

/// Waits until the program should end: by Ctrl-C, by `kill`, or because its terminal was closed. A signal that is ignored,
/// as `nohup` and a script's `&` arrange it, stays ignored.
#[cfg(unix)]
pub(crate) async fn end() {
    use std::task::Poll;

    use tokio::signal::unix::{SignalKind, signal};

    let kinds = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
    let caught = kinds.into_iter().filter(|kind| !is_ignored(kind.as_raw_value()));
    let mut signals: Vec<_> = caught.filter_map(|kind| signal(kind).ok()).collect();
    std::future::poll_fn(|context| {
        let ready = signals.iter_mut().any(|signal| signal.poll_recv(context).is_ready());
        if ready { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

/// Waits for Ctrl-C.
#[cfg(not(unix))]
pub(crate) async fn end() {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// Reads from Linux's `/proc` whether a signal is ignored. Without `/proc` none is.
#[cfg(unix)]
fn is_ignored(signal: i32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    mask >> (signal - 1) & 1 == 1
}
