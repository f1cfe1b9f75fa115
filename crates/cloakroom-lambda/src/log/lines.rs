//! Writes log lines to standard output, in few writes, because a write costs more than formatting a line.
//!
//! The thread of a function holds its lines until it only waits. So the lines of a batch are written at once, before
//! the response is sent. Warnings and errors are written immediately, with the lines held before them. Other threads
//! hold no lines. A killed process loses only the lines since the last wait, and none if it is waiting.

use std::cell::RefCell;
use std::io::{self, Write};

use lambda_http::tracing::subscriber::fmt::MakeWriter;
use lambda_http::tracing::{Level, Metadata};

/// Maximum number of bytes that are held.
const MOST: usize = 16 * 1024;

thread_local! {
    /// Unwritten lines of this thread; `None` if it holds no lines.
    static HELD: RefCell<Option<Vec<u8>>> = const { RefCell::new(None) };
}

/// Makes this thread hold its lines for [`write`].
pub(crate) fn hold() {
    HELD.set(Some(Vec::new()));
}

/// Writes the lines that this thread holds.
pub(crate) fn write() {
    HELD.with_borrow_mut(|held| held.as_mut().map(let_go));
}

/// Returns true if this thread holds lines.
#[cfg(test)]
pub(crate) fn any_held() -> bool {
    HELD.with_borrow(|held| held.as_ref().is_some_and(|held| !held.is_empty()))
}

/// Adds a line, including its line break.
pub(crate) fn say(line: &str) {
    add(line.as_bytes(), false);
}

fn add(line: &[u8], urgent: bool) {
    let held = HELD.try_with(|held| match &mut *held.borrow_mut() {
        Some(held) => {
            held.extend_from_slice(line);
            if urgent || held.len() > MOST {
                let_go(held);
            }
            true
        }
        None => false,
    });
    // A thread that is ending holds no lines either.
    if held != Ok(true) {
        put(line);
    }
}

fn let_go(held: &mut Vec<u8>) {
    if !held.is_empty() {
        put(held);
        held.clear();
    }
}

fn put(lines: &[u8]) {
    // Ignored: without a reader, the error can't be reported.
    _ = io::stdout().lock().write_all(lines);
}

/// Creates writers of lines.
pub(crate) struct Lines;

/// Writer of one line.
pub(crate) struct Line {
    urgent: bool,
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Line;

    fn make_writer(&'a self) -> Line {
        Line { urgent: true }
    }

    fn make_writer_for(&'a self, of: &Metadata<'_>) -> Line {
        Line {
            urgent: *of.level() <= Level::WARN,
        }
    }
}

impl Write for Line {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        add(line, self.urgent);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
