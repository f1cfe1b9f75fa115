//! Notes about unfinished uploads, so that the same submission resumes its upload after any interruption.
//!
//! A note is a small file. It is written when the upload begins, and deleted when the command is accepted. It has the id of the
//! upload, and the key of the submission: submitting the same again is the same job.

use std::fs;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use cloakroom_app::core::Digest;
use cloakroom_app::upload::UPLOAD_LIFE;
use cloakroom_client::{Error, Input, Uploading, redact};
use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;

use crate::exit::Failure;
use crate::service::Service;
use crate::show;
use crate::submit::Args;

/// Content of the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Note {
    upload_id: String,
    key: String,
    /// SHA-256 of the payload, in hex.
    sha256: String,
}

/// Upload of one submission. Clones share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Unfinished {
    /// Path of the note. `None` if the payload is not a file that can be read again.
    place: Option<PathBuf>,
    /// Key of the submission.
    key: String,
    before: Option<Note>,
    /// True if the input can't be read again after this run.
    is_copy: bool,
    kept: Arc<Mutex<bool>>,
}

impl Unfinished {
    /// Loads the note about this submission of this input. Only a regular file can be read again by a later run.
    pub(crate) async fn load(
        args: &Args,
        service: &Service,
        input: &Input,
    ) -> Result<Self, Failure> {
        let forgotten = Self {
            is_copy: input.is_copy(),
            ..Self::default()
        };
        let (Some(name), Some(folder)) = (args.file.as_deref(), folder()) else {
            return Ok(forgotten);
        };
        drop_stale(&folder, UPLOAD_LIFE);
        let name = if name == "-" { "/dev/stdin" } else { name };
        let (Some(modified), Ok(path)) = (input.modified(), fs::canonicalize(name)) else {
            return Ok(forgotten);
        };
        let modified = modified.duration_since(SystemTime::UNIX_EPOCH).ok();
        let submission = serde_json::json!([
            // A password is never stored, not even in a digest.
            redact::url(&service.url),
            args.command,
            path,
            input.length(),
            modified.map(|at| at.as_nanos().to_string()),
            args.key,
            args.content_type,
            args.query,
            args.not_before.map(|at| at.to_string()),
            args.callback_url.as_deref().map(redact::url),
            args.callback_events.map(|events| format!("{events:?}")),
            args.reply_to,
            args.correlation_id,
        ]);
        let place = folder.join(format!(
            "{}.json",
            Digest::from_content(submission.to_string().as_bytes())
        ));
        let mut before = fs::read(&place)
            .ok()
            .and_then(|text| serde_json::from_slice::<Note>(&text).ok());
        if let Some(note) = &before
            && (args.no_resume || input.sha256().await?.to_string() != note.sha256)
        {
            before = None;
        }
        let key = match (&args.key, &before) {
            (Some(given), _) => given.clone(),
            (None, Some(note)) => note.key.clone(),
            (None, None) => uuid::Uuid::new_v4().to_string(),
        };
        Ok(Self {
            place: Some(place),
            key,
            before,
            ..forgotten
        })
    }

    /// Returns the key for a submission without `--key`: the one of the interrupted run, if there was one.
    pub(crate) fn key(&self) -> Option<String> {
        self.place.is_some().then(|| self.key.clone())
    }

    /// Returns the id of the interrupted upload.
    pub(crate) fn upload(&self) -> Option<String> {
        self.before.as_ref().map(|note| note.upload_id.clone())
    }

    /// Writes the note, once.
    pub(crate) fn keep(&self, uploading: &Uploading) {
        if !uploading.in_parts || (self.place.is_none() && !self.is_copy) {
            return;
        }
        let mut kept = self.kept.lock().expect("no one panics while keeping");
        if std::mem::replace(&mut *kept, true) {
            return;
        }
        let Some(place) = &self.place else {
            show::note(
                "the payload can be read only once: its upload can't be resumed after an interruption",
            );
            return;
        };
        // A resumed upload has its note already.
        let Some(sha256) = uploading.sha256.clone() else {
            show::note(&format!(
                "resuming an upload: {} of {} bytes are uploaded",
                uploading.sent, uploading.length
            ));
            return;
        };
        let note = Note {
            upload_id: uploading.upload_id.clone(),
            key: self.key.clone(),
            sha256,
        };
        if let Err(error) = write(place, &note) {
            show::note(&format!(
                "the upload can't be resumed after an interruption: failed to write {}: {error}",
                place.display()
            ));
        }
    }

    /// Returns true if the upload can be resumed.
    pub(crate) fn is_kept(&self) -> bool {
        self.place.is_some() && *self.kept.lock().expect("no one panics while keeping")
    }

    /// Deletes the note if the command was accepted, or if the upload no longer exists.
    pub(crate) fn end(&self, error: Option<&Error>) {
        let useless = |error: &Error| {
            error
                .problem()
                .is_some_and(|problem| problem.code == "upload-not-found")
        };
        if error.is_none_or(useless) {
            self.remove();
        }
    }

    fn remove(&self) {
        if let Some(place) = &self.place
            && let Err(error) = fs::remove_file(place)
            && error.kind() != ErrorKind::NotFound
        {
            show::note(&format!("failed to delete {}: {error}", place.display()));
        }
    }
}

/// Returns the folder of the notes (XDG Base Directory Specification).
fn folder() -> Option<PathBuf> {
    let set = |name: &str| {
        std::env::var_os(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    let state = set("XDG_STATE_HOME").or_else(|| Some(set("HOME")?.join(".local/state")))?;
    Some(state.join("cloakroom/uploads"))
}

/// Writes the file completely or not at all, readable by this user only.
fn write(place: &Path, note: &Note) -> std::io::Result<()> {
    let folder = place.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let mut new = NamedTempFile::new_in(folder)?;
    new.write_all(&serde_json::to_vec(note)?)?;
    new.persist(place)?;
    Ok(())
}

/// Deletes notes about uploads that have expired.
fn drop_stale(folder: &Path, life: Duration) {
    let Ok(notes) = fs::read_dir(folder) else {
        return;
    };
    for note in notes.flatten() {
        let written = note.metadata().and_then(|about| about.modified());
        if written.is_ok_and(|at| at.elapsed().is_ok_and(|age| age > life)) {
            // A note that can't be deleted does no harm.
            let _ = fs::remove_file(note.path());
        }
    }
}
