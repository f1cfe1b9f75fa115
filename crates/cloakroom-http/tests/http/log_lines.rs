//! Collector of log lines, per test.

use std::cell::RefCell;
use std::io::{self, Write};
use std::sync::Once;

use tracing::Level;

thread_local! {
    /// Lines of this thread, which runs one test.
    static LINES: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

struct Lines;

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LINES.with_borrow_mut(|lines| lines.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Collects the lines of every test from now on. Tests call it before their first request, as `tracing` may disable a
/// call site for good if it is first reached without a subscriber.
pub(crate) fn start() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let log = tracing_subscriber::fmt()
            .with_writer(|| Lines)
            .with_max_level(Level::DEBUG);
        let log = log.with_ansi(false).without_time().finish();
        tracing::subscriber::set_global_default(log).expect("there is no other");
    });
}

/// Returns the lines of this test since the last call.
pub(crate) fn take() -> String {
    String::from_utf8(LINES.take()).expect("text")
}
