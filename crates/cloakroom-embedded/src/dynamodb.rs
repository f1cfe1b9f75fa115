//! DynamoDB, implemented by `dynoxide`.

use std::path::Path;

use dynoxide::Database;
use tokio::net::TcpListener;

use crate::net::Stop;

/// Opens the database: a file, or memory.
pub(crate) fn open(file: Option<&Path>) -> Result<Database, String> {
    let opened = match file {
        Some(file) => {
            let file = file.to_str().ok_or("its path is not UTF-8")?;
            Database::new(file)
        }
        None => Database::memory(),
    };
    opened.map_err(|error| error.to_string())
}

/// Serves until it is stopped.
pub(crate) async fn serve(listener: TcpListener, database: Database, stop: Stop) {
    let served = dynoxide::server::serve_with_shutdown(listener, database, stop.stopped()).await;
    if let Err(error) = served {
        tracing::error!(error, "the embedded DynamoDB ended");
    }
}

/// Deletes expired items. Returns their number.
pub(crate) async fn sweep(database: Database) -> usize {
    let swept = tokio::task::spawn_blocking(move || database.sweep_ttl()).await;
    match swept {
        Ok(Ok(deleted)) => deleted,
        Ok(Err(error)) => {
            tracing::warn!(%error, "failed to delete expired items");
            0
        }
        Err(error) => {
            tracing::warn!(%error, "failed to delete expired items");
            0
        }
    }
}
