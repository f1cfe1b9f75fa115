//! Where the lines of the log go: to standard output, in as few writes as can be, as each costs more than the line did.
//!
//! The thread that a function runs on holds its lines until it has nothing more to do than wait, and so writes those of a batch at
//! once, and before its answer goes out; warnings and errors at once, with what is held before them. Other threads hold none. What
//! a process that is killed in the midst of computing takes along are the lines of less than a moment; of one that waits, none.

use std::cell::RefCell;
use std::io::{self, Write};

use lambda_http::tracing::subscriber::fmt::MakeWriter;
use lambda_http::tracing::{Level, Metadata};

/// The most bytes that are held.
const MOST: usize = 16 * 1024;

thread_local! {
    /// The lines that this thread has still to write; `None` where it holds none.
    static HELD: RefCell<Option<Vec<u8>>> = const { RefCell::new(None) };
}

/// Holds this thread's lines from now on, for [`write`].
pub(crate) fn hold() {
    HELD.set(Some(Vec::new()));
}

/// Writes the lines that this thread holds.
pub(crate) fn write() {
    HELD.with_borrow_mut(|held| held.as_mut().map(let_go));
}

/// Whether this thread holds lines.
#[cfg(test)]
pub(crate) fn any_held() -> bool {
    HELD.with_borrow(|held| held.as_ref().is_some_and(|held| !held.is_empty()))
}

/// Says a line, with its end.
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
    // A thread that is ending holds none either.
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
    // Where there is nobody to read it, there is nothing to be done.
    _ = io::stdout().lock().write_all(lines);
}

/// Makes writers of lines.
pub(crate) struct Lines;

/// Writes one line.
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
