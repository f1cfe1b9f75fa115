//! Writes for stores that hold their objects in memory.

use bytes::Bytes;
use futures::TryStreamExt as _;
use futures::stream::BoxStream;

use crate::ports::{Objects, PortError, SourceAborted};

/// Collects the pieces of an object, and writes it as a whole.
pub async fn put_whole(
    objects: &dyn Objects,
    key: &str,
    content_type: &str,
    pieces: BoxStream<'static, Result<Bytes, SourceAborted>>,
) -> Result<bool, PortError> {
    match pieces.try_collect::<Vec<_>>().await {
        Ok(pieces) => objects
            .put(key, content_type, pieces.concat().into())
            .await
            .map(|()| true),
        Err(SourceAborted) => Ok(false),
    }
}
