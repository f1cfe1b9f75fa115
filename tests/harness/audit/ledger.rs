//! The ledger that `diagnostic.run` keeps where `CLOAKROOM_DIAGNOSTIC_LEDGER` names one.

use std::collections::HashMap;

use cloakroom_core::Timestamp;

/// What was noted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// The handler was called.
    Began,
    /// It did what it was to do.
    Did,
}

/// A line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// What was noted.
    pub mark: Mark,
    /// Of which attempt.
    pub attempt: u32,
    /// By which process.
    pub pid: u32,
    /// When.
    pub at: Timestamp,
}

/// What handlers noted, by job.
#[derive(Debug, Default)]
pub struct Ledger(HashMap<String, Vec<Entry>>);

impl Ledger {
    /// Reads the lines, in the order in which they were written.
    ///
    /// # Panics
    /// When one is none.
    pub fn read(text: &str) -> Self {
        let mut jobs: HashMap<String, Vec<Entry>> = HashMap::new();
        for line in text.lines() {
            let (job, entry) =
                entry(line).unwrap_or_else(|| panic!("no line of a ledger: {line:?}"));
            jobs.entry(job).or_default().push(entry);
        }
        Self(jobs)
    }

    /// What was noted of a job.
    pub fn of(&self, job: &str) -> &[Entry] {
        self.0.get(job).map_or(&[], Vec::as_slice)
    }

    /// The jobs that something was noted of.
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
