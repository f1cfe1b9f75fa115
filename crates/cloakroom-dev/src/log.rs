//! Log of the dev runner, which a separate thread writes to standard error.
//!
//! If the reader stops reading (a full pipe, or a terminal with paused output), only that thread blocks. A limited
//! number of lines is queued, and further lines are dropped; the log reports their number. If the reader has exited,
//! the rest is lost.

use std::io::{self, IsTerminal as _, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use tracing_subscriber::EnvFilter;

/// Maximum number of queued lines.
const MOST_WAITING: usize = 4096;

/// Maximum time for which the end of the program waits until lines are written.
const LONGEST_FLUSH: Duration = Duration::from_millis(500);

enum Entry {
    Text(Vec<u8>),
    /// All earlier entries were written.
    Flushed(SyncSender<()>),
}

/// Sender of log lines, which never blocks. Clones write to the same log.
#[derive(Clone)]
pub struct Log {
    entries: SyncSender<Entry>,
    dropped: Arc<AtomicU64>,
}

/// Starts the log of the process: warnings, and lines of Cloakroom and these crates from `INFO`. `RUST_LOG` overrides
/// that.
pub fn start<'a>(crates: impl IntoIterator<Item = &'a str>) -> Log {
    let (log, entries) = Log::new(MOST_WAITING);
    std::thread::spawn(move || write(&entries, io::stderr()));
    let writer = log.clone();
    tracing_subscriber::fmt()
        .with_writer(move || writer.clone())
        .with_ansi(io::stderr().is_terminal())
        .with_env_filter(EnvFilter::try_from_default_env().unwrap_or_else(|_| {
            let ours = "warn,cloakroom_app=info,cloakroom_http=info,dynoxide=error".to_owned();
            EnvFilter::new(
                crates
                    .into_iter()
                    .fold(ours, |filter, name| filter + "," + name + "=info"),
            )
        }))
        .init();
    log
}

impl Log {
    fn new(most: usize) -> (Self, Receiver<Entry>) {
        let (entries, receiver) = sync_channel(most);
        (
            Self {
                entries,
                dropped: Arc::default(),
            },
            receiver,
        )
    }

    /// Waits for a short time until all lines so far are written.
    pub fn flush(&self) {
        let (flushed, is_flushed) = sync_channel(1);
        if self.entries.try_send(Entry::Flushed(flushed)).is_ok() {
            let _ = is_flushed.recv_timeout(LONGEST_FLUSH);
        }
    }
}

impl Write for Log {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let dropped = self.dropped.swap(0, Ordering::Relaxed);
        let mut text = Vec::with_capacity(line.len());
        if dropped > 0 {
            writeln!(
                text,
                "dropped {dropped} lines of the log: its reader was too slow"
            )?;
        }
        text.extend_from_slice(line);
        if self.entries.try_send(Entry::Text(text)).is_err() {
            self.dropped.fetch_add(dropped + 1, Ordering::Relaxed);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes entries until all senders are dropped. Errors are ignored, because they can't be reported anywhere.
fn write(entries: &Receiver<Entry>, mut to: impl Write) {
    while let Ok(entry) = entries.recv() {
        match entry {
            Entry::Text(text) => _ = to.write_all(&text),
            Entry::Flushed(flushed) => _ = flushed.try_send(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the text that a log writes.
    fn read(log: Log, entries: &Receiver<Entry>) -> String {
        drop(log);
        let mut text = Vec::new();
        write(entries, &mut text);
        String::from_utf8(text).expect("UTF-8")
    }

    #[test]
    fn a_log_that_nobody_reads_drops_lines_and_says_how_many() {
        let (mut log, entries) = Log::new(2);
        for line in ["1\n", "2\n", "3\n", "4\n"] {
            assert_eq!(log.write(line.as_bytes()).expect("it never fails"), 2);
        }
        let Ok(Entry::Text(first)) = entries.recv() else {
            panic!("want a line")
        };
        assert_eq!(first, b"1\n");
        log.write_all(b"5\n").expect("it never fails");
        assert_eq!(
            read(log, &entries),
            "2\ndropped 2 lines of the log: its reader was too slow\n5\n"
        );
    }

    #[test]
    fn a_reader_that_is_gone_stops_nothing() {
        struct Gone;
        impl Write for Gone {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let (mut log, entries) = Log::new(2);
        log.write_all(b"1\n").expect("it never fails");
        let (flushed, is_flushed) = sync_channel(1);
        log.entries
            .try_send(Entry::Flushed(flushed))
            .expect("there is room");
        drop(log);
        write(&entries, Gone);
        assert_eq!(is_flushed.recv(), Ok(()));
    }
}
