//! Parser of event streams, as the HTML standard defines them (section 9.2.6, "Interpreting an event stream").
//!
//! A chunk may end anywhere: within a line, within a character, or between CR and LF.

use std::time::Duration;

/// Most bytes of an event, including the line that is being read.
const MOST_BYTES: usize = 1024 * 1024;

/// The byte order mark in UTF-8, which may be before the first line.
const BOM: &[u8] = b"\xef\xbb\xbf";

/// One event of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Event {
    /// Type: `message` if the stream names none.
    pub(crate) kind: String,
    /// Last id in the stream, of this or of an earlier event.
    pub(crate) id: String,
    /// Lines of data, joined by LF.
    pub(crate) data: String,
}

/// An event over the limit of 1 MiB.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TooLarge;

/// Parser of one stream.
#[derive(Debug, Default)]
pub(crate) struct Parser {
    line: Vec<u8>,
    is_past_first_line: bool,
    /// True after CR: an LF that follows belongs to the same line end.
    is_after_cr: bool,
    kind: String,
    id: String,
    data: String,
    retry: Option<Duration>,
}

impl Parser {
    /// Parses the next chunk, and returns the events that it completes.
    pub(crate) fn parse(&mut self, chunk: &[u8]) -> Result<Vec<Event>, TooLarge> {
        let (mut events, mut rest) = (Vec::new(), chunk);
        while let Some(first) = rest.first() {
            if std::mem::take(&mut self.is_after_cr) && *first == b'\n' {
                rest = &rest[1..];
                continue;
            }
            let Some(end) = rest.iter().position(|byte| matches!(byte, b'\r' | b'\n')) else {
                self.extend_line(rest)?;
                break;
            };
            self.extend_line(&rest[..end])?;
            self.is_after_cr = rest[end] == b'\r';
            rest = &rest[end + 1..];
            events.extend(self.end_line());
        }
        Ok(events)
    }

    /// Returns the delay before a new connection, if the stream has set it.
    pub(crate) fn retry(&self) -> Option<Duration> {
        self.retry
    }

    fn extend_line(&mut self, bytes: &[u8]) -> Result<(), TooLarge> {
        if self.line.len() + self.data.len() + bytes.len() > MOST_BYTES {
            return Err(TooLarge);
        }
        self.line.extend_from_slice(bytes);
        Ok(())
    }

    /// Interprets the line. Returns the event that an empty line ends.
    fn end_line(&mut self) -> Option<Event> {
        let line = std::mem::take(&mut self.line);
        let is_first = !std::mem::replace(&mut self.is_past_first_line, true);
        let line = line
            .strip_prefix(BOM)
            .filter(|_| is_first)
            .unwrap_or(line.as_slice());
        if line.is_empty() {
            return self.end_event();
        }
        let line = String::from_utf8_lossy(line);
        let (field, value) = line.split_once(':').unwrap_or((&line, ""));
        self.set(field, value.strip_prefix(' ').unwrap_or(value));
        None
    }

    /// Applies a field. A comment is a field without a name. Unknown fields are ignored.
    fn set(&mut self, field: &str, value: &str) {
        match field {
            "event" => value.clone_into(&mut self.kind),
            "data" => {
                self.data.push_str(value);
                self.data.push('\n');
            }
            "id" if !value.contains('\0') => value.clone_into(&mut self.id),
            "retry" if value.bytes().all(|byte| byte.is_ascii_digit()) => {
                self.retry = value.parse().ok().map(Duration::from_millis).or(self.retry);
            }
            _ => {}
        }
    }

    /// Returns the event, unless it has no data.
    fn end_event(&mut self) -> Option<Event> {
        let kind = std::mem::take(&mut self.kind);
        let mut data = std::mem::take(&mut self.data);
        data.pop()?;
        Some(Event {
            kind: if kind.is_empty() {
                "message".to_owned()
            } else {
                kind
            },
            id: self.id.clone(),
            data,
        })
    }
}

#[cfg(test)]
mod tests;
