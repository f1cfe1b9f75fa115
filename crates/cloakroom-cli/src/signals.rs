//! Signals that ask the program to end: Ctrl-C, `kill`, `docker stop`, a terminal that closes.
//!
//! They are handled, and not left to the system, for two reasons. The program can finish requests and remove its temporary
//! files. And the system delivers none of them to a process with the id 1, as the program has in a container, unless
//! it is handled.

use std::future::poll_fn;
use std::pin::pin;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;

/// A signal that asked the program to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Signal(u8);

impl Signal {
    /// 128 and the signal's number, as a shell has it.
    pub(crate) fn exit_code(self) -> u8 {
        128 + self.0
    }
}

impl From<Signal> for ExitCode {
    fn from(signal: Signal) -> Self {
        Self::from(signal.exit_code())
    }
}

#[cfg(unix)]
mod system {
    use std::io;
    use std::task::Poll;

    use tokio::signal::unix::{Signal as Stream, SignalKind, signal};

    use super::Signal;

    /// The signals, from when they are first listened for.
    pub(crate) struct Signals(Vec<(Signal, Stream)>);

    impl Signals {
        /// Must be called in a Tokio runtime. From now on these signals end nothing by themselves. Under `nohup` SIGHUP stays
        /// ignored.
        pub(crate) fn listen() -> io::Result<Self> {
            let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
            let hangup = Some(SignalKind::hangup()).filter(|_| !super::ignores_hangup(&status));
            let kinds = [SignalKind::interrupt(), SignalKind::terminate()]
                .into_iter()
                .chain(hangup);
            let streams = kinds.map(|kind| {
                let number = u8::try_from(kind.as_raw_value()).expect("these are below 16");
                Ok((Signal(number), signal(kind)?))
            });
            streams.collect::<io::Result<_>>().map(Self)
        }

        /// Waits for the next one.
        pub(crate) async fn next(&mut self) -> Signal {
            std::future::poll_fn(|cx| {
                let ready = self
                    .0
                    .iter_mut()
                    .find_map(|(name, stream)| stream.poll_recv(cx).is_ready().then_some(*name));
                ready.map_or(Poll::Pending, Poll::Ready)
            })
            .await
        }
    }
}

#[cfg(not(unix))]
mod system {
    use super::Signal;

    /// Ctrl-C alone.
    pub(crate) struct Signals;

    impl Signals {
        pub(crate) fn listen() -> std::io::Result<Self> {
            Ok(Self)
        }

        /// Waits for the next one.
        pub(crate) async fn next(&mut self) -> Signal {
            if tokio::signal::ctrl_c().await.is_err() {
                std::future::pending::<()>().await;
            }
            Signal(2)
        }
    }
}

pub(crate) use system::Signals;

/// Set once a signal asked the program to end.
static ENDING: AtomicBool = AtomicBool::new(false);

/// Waits until a signal asks the program to end: for the parts that clean up first.
///
/// It has no listener of its own, which might hear of a signal after the program's does. [`run_until_signal`] polls again.
pub(crate) async fn end() {
    poll_fn(|_| {
        if ENDING.load(Ordering::Relaxed) {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    })
    .await;
}

/// Runs a command to its end, or until a signal. After the signal it is polled once more, for an end of its own.
pub(crate) async fn run_until_signal<T>(
    command: impl Future<Output = T>,
    signals: &mut Signals,
) -> Result<T, Signal> {
    let mut command = pin!(command);
    tokio::select! {
        outcome = &mut command => Ok(outcome),
        signal = signals.next() => {
            ENDING.store(true, Ordering::Relaxed);
            match poll_fn(|cx| Poll::Ready(command.as_mut().poll(cx))).await {
                Poll::Ready(outcome) => Ok(outcome),
                Poll::Pending => Err(signal),
            }
        }
    }
}

/// Returns whether SIGHUP is ignored, by the text of `/proc/self/status`. Without it, as on macOS, it is not.
#[cfg(unix)]
fn ignores_hangup(status: &str) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    // Each signal is a bit, and SIGHUP is the first.
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .is_some_and(|mask| mask & 1 == 1)
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn nohup_is_noticed() {
        assert!(ignores_hangup(
            "SigBlk:\t0000000000000000\nSigIgn:\t0000000000001001\nSigCgt:\t0000000000014002\n"
        ));
        assert!(!ignores_hangup("SigIgn:\t0000000000001000\n"));
        assert!(!ignores_hangup(""));
    }
}
