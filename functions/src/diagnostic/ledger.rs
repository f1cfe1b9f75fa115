//! Ledger of attempts, stored outside of Cloakroom: it shows a test which attempts really ran.
//!
//! A line has `began` or `did`, the job, the attempt, the process, and the time in milliseconds since 1970.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use cloakroom::JobId;

/// Environment variable with the path of the file. Nothing that a client sends changes the path or reaches the file.
const FILE: &str = "CLOAKROOM_DIAGNOSTIC_LEDGER";

/// File for the attempts, if one is configured.
#[derive(Debug, Clone)]
pub(super) struct Ledger(Option<Arc<PathBuf>>);

/// Event of an attempt.
#[derive(Debug, Clone, Copy)]
pub(super) enum Mark {
    /// The handler was called.
    Began,
    /// The handler has done its work. The success is recorded after that.
    Did,
}

impl Ledger {
    pub(super) fn from_env() -> Self {
        let file = std::env::var_os(FILE).filter(|name| !name.is_empty());
        Self(file.map(|name| Arc::new(name.into())))
    }

    /// Writes a line. Lines are appended by one write each, so those of several processes don't mix.
    pub(super) fn note(&self, mark: Mark, job: JobId, attempt: u32) -> io::Result<()> {
        let Some(file) = &self.0 else { return Ok(()) };
        let mark = match mark {
            Mark::Began => "began",
            Mark::Did => "did",
        };
        let millis = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .as_millis();
        let line = format!("{mark} {job} {attempt} {} {millis}\n", std::process::id());
        File::options()
            .append(true)
            .create(true)
            .open(file.as_path())?
            .write_all(line.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_tells_of_one_attempt() {
        let file = std::env::temp_dir().join(format!("cloakroom-ledger-{}", std::process::id()));
        let ledger = Ledger(Some(Arc::new(file.clone())));
        let job: JobId = "0d5f1c0e-8a51-8f0b-9c6e-2f4f2f7c9a11"
            .parse()
            .expect("an id");
        ledger
            .note(Mark::Began, job, 1)
            .and_then(|()| ledger.note(Mark::Did, job, 1))
            .expect("written");
        Ledger(None)
            .note(Mark::Did, job, 2)
            .expect("nothing to write to");
        let text = std::fs::read_to_string(&file).expect("a ledger");
        std::fs::remove_file(&file).expect("it was there");
        let lines: Vec<Vec<_>> = text.lines().map(|line| line.split(' ').collect()).collect();
        let [began, did] = &lines[..] else {
            panic!("two lines: {text:?}")
        };
        let (id, pid) = (job.to_string(), std::process::id().to_string());
        assert_eq!(
            (&began[..4], &did[..4]),
            (&["began", &id, "1", &pid][..], &["did", &id, "1", &pid][..])
        );
        assert!(
            did[4]
                .parse::<u64>()
                .is_ok_and(|millis| millis > 1_000_000_000_000),
            "{did:?}"
        );
    }
}
