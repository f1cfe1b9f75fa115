//! Signals that request the end of the program: Ctrl-C, `kill`, `docker stop`, a terminal that closes.
//!
//! The program handles them for two reasons. It can finish requests and remove its temporary files. And the system delivers them
//! to a process with the id 1, as in a container, only if the process handles them.

use std::future::poll_fn;
use std::pin::pin;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;

/// Signal that requests the end of the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Signal(u8);

impl Signal {
    /// Returns 128 plus the number of the signal, as in a shell.
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

    /// Received signals.
    pub(crate) struct Signals(Vec<(Signal, Stream)>);

    impl Signals {
        /// Starts to listen, in a Tokio runtime. From then on these signals do not end the process. Under `nohup`, SIGHUP stays
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

        /// Waits for the next signal.
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

    /// Ctrl-C, the only signal here.
    pub(crate) struct Signals;

    impl Signals {
        pub(crate) fn listen() -> std::io::Result<Self> {
            Ok(Self)
        }

        /// Waits for the next signal.
        pub(crate) async fn next(&mut self) -> Signal {
            if tokio::signal::ctrl_c().await.is_err() {
                std::future::pending::<()>().await;
            }
            Signal(2)
        }
    }
}

pub(crate) use system::Signals;

/// True after a signal that requests the end.
static ENDING: AtomicBool = AtomicBool::new(false);

/// Waits until a signal requests the end, for parts that clean up first.
///
/// It has no listener of its own, which might receive a signal after the program's does. [`run_until_signal`] polls it again.
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

/// Runs a command until it ends, or until a signal. After the signal the command is polled once more, so that it can clean up.
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

/// Returns true if SIGHUP is ignored, by the text of `/proc/self/status`. Without that file, as on macOS, it is not.
#[cfg(unix)]
fn ignores_hangup(status: &str) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    // Each signal is a bit. SIGHUP is the first.
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
