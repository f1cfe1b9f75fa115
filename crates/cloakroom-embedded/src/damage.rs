//! Checks the data directory before a service opens it, so that damage is reported with its file, not by a failed
//! request.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension as _};

use crate::error::StartError;

/// Latest schema version that `dynoxide` supports. A test compares it with the linked version.
const DYNAMODB_SCHEMA: u32 = 11;

/// Checks both databases completely, and the directory of the objects.
pub(crate) fn check(folder: &Path) -> Result<(), StartError> {
    let (dynamodb, sqs) = (folder.join("dynamodb.sqlite"), folder.join("sqs.sqlite"));
    // The queue's file is created after the table's.
    if length(&dynamodb) == Some(0) && length(&sqs).is_some_and(|length| length > 0) {
        return Err(damaged(
            folder,
            &dynamodb,
            format!("it is empty, and {} is not", sqs.display()),
        ));
    }
    for file in [&dynamodb, &sqs] {
        database(file).map_err(|reason| damaged(folder, file, reason))?;
    }
    objects(folder)
}

/// Creates the error of a file in the directory that can't be used.
pub(crate) fn damaged(folder: &Path, file: &Path, reason: impl Into<String>) -> StartError {
    StartError::Data {
        folder: folder.to_owned(),
        file: file.to_owned(),
        reason: reason.into(),
    }
}

fn length(file: &Path) -> Option<u64> {
    file.metadata().ok().map(|about| about.len())
}

fn database(file: &Path) -> Result<(), String> {
    if length(file).is_none_or(|length| length == 0) {
        return Ok(());
    }
    let checked = Connection::open(file).and_then(|connection| {
        let found: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
        Ok((found, version(&connection)))
    });
    match checked {
        Ok((_, Some(version))) if version > DYNAMODB_SCHEMA => Err(format!(
            "its tables are of version {version}, this program knows {DYNAMODB_SCHEMA}"
        )),
        Ok((found, _)) if found == "ok" => Ok(()),
        Ok((found, _)) => Err(format!("it is damaged: {}", found.replace('\n', " "))),
        Err(error) => Err(error.to_string()),
    }
}

/// Returns the schema version of a `dynoxide` database. `None` for another database.
fn version(connection: &Connection) -> Option<u32> {
    let query = "SELECT value FROM _config WHERE key = 'schema_version'";
    let found: Option<String> = connection
        .query_row(query, [], |row| row.get(0))
        .optional()
        .ok()
        .flatten();
    found?.parse().ok()
}

/// Checks the directory of the objects. A bucket is a directory. Names that start with a dot belong to the service.
fn objects(folder: &Path) -> Result<(), StartError> {
    let objects = folder.join("s3");
    let unreadable = |error: std::io::Error| damaged(folder, &objects, error.to_string());
    for entry in objects.read_dir().map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let is_bucket = !entry.file_name().as_encoded_bytes().starts_with(b".");
        if is_bucket && !entry.path().is_dir() {
            return Err(damaged(folder, &entry.path(), "it is not a folder"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
