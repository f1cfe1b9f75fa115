//! `diagnostic.copy`: returns the payload as its result, and holds only a few bytes of it in memory. For experiments with large
//! payloads, and for tests.

use std::time::Duration;

use cloakroom::Digest;
use cloakroom::UPLOAD_LIMIT;
use cloakroom::{BodyStream, Command, HandlerError, JobContext, Output};
use futures::TryStreamExt as _;
use schemars::JsonSchema;
use serde::Deserialize;

/// The command has no parameters.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Copy {}

/// Defines the command.
pub(crate) fn command() -> Command {
    Command::binary("diagnostic.copy", &["application/octet-stream"], copy)
        .upload_limit(UPLOAD_LIMIT)
        .timeout(Duration::from_secs(900))
        .diagnostic()
}

/// Computes the digest while the bytes pass, and reports it with the last piece.
async fn copy(_: Copy, body: BodyStream, job: JobContext) -> Result<Output, HandlerError> {
    let (length, mut read, mut sum) = (body.length(), 0, Digest::builder());
    let content_type = job.content_type().to_owned();
    let pieces = body.inspect_ok(move |piece| {
        sum.update(piece);
        read += piece.len() as u64;
        #[expect(clippy::cast_precision_loss, reason = "a percentage needs no more")]
        let percent = 100.0 * read as f64 / length.max(1) as f64;
        let done = if read == length {
            format!("SHA-256 {}", sum.clone().finish())
        } else {
            format!("{read} of {length} bytes")
        };
        job.progress(percent, done);
    });
    Ok(Output::stream(content_type, pieces))
}

#[cfg(test)]
mod tests {
    use crate::bench::Bench;

    #[tokio::test(start_paused = true)]
    async fn what_was_sent_comes_back_and_its_digest_is_said() {
        for length in [1, 1000, 40_000] {
            let bytes: Vec<u8> = (0..=250).cycle().take(length).collect();
            let (bench, job) = Bench::run(
                "diagnostic.copy",
                "",
                "application/octet-stream",
                bytes.clone(),
            )
            .await;
            let (content_type, result) = bench.result(&job).await.expect("a result");
            assert!(
                content_type == "application/octet-stream" && result == bytes,
                "{length}"
            );
            let said = job
                .progress
                .as_ref()
                .and_then(|progress| progress.message.clone());
            assert_eq!(said.unwrap_or_default(), "");
        }
    }
}
