//! Ledger of `diagnostic.run`: a file named by `CLOAKROOM_DIAGNOSTIC_LEDGER`.

use std::collections::HashMap;

use cloakroom_core::Timestamp;

/// Kind of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// The handler started.
    Began,
    /// The handler had its effect.
    Did,
}

/// An entry of the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// Kind of the entry.
    pub mark: Mark,
    /// Number of the attempt.
    pub attempt: u32,
    /// Id of the process.
    pub pid: u32,
    /// Time of the entry.
    pub at: Timestamp,
}

/// Entries by job.
#[derive(Debug, Default)]
pub struct Ledger(HashMap<String, Vec<Entry>>);

impl Ledger {
    /// Parses lines, in the order in which they were written.
    ///
    /// # Panics
    /// If a line is malformed.
    pub fn read(text: &str) -> Self {
        let mut jobs: HashMap<String, Vec<Entry>> = HashMap::new();
        for line in text.lines() {
            let (job, entry) =
                entry(line).unwrap_or_else(|| panic!("no line of a ledger: {line:?}"));
            jobs.entry(job).or_default().push(entry);
        }
        Self(jobs)
    }

    /// Returns the entries of a job.
    pub fn of(&self, job: &str) -> &[Entry] {
        self.0.get(job).map_or(&[], Vec::as_slice)
    }

    /// Returns the jobs that have entries.
    pub fn jobs(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

fn entry(line: &str) -> Option<(String, Entry)> {
    let mut parts = line.split(' ');
    let mark = match parts.next()? {
        "began" => Mark::Began,
        "did" => Mark::Did,
        _ => return None,
    };
    let job = parts.next()?.to_owned();
    let (attempt, pid) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    let at = Timestamp::from_millis(parts.next()?.parse().ok()?);
    parts.next().is_none().then_some((
        job,
        Entry {
            mark,
            attempt,
            pid,
            at,
        },
    ))
}
