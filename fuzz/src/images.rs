//! An image for a thumbnail: the query in the first line, followed by the image. Uses the deployment's own handler.

use bytes::Bytes;
use cloakroom_app::submit::Body;
use cloakroom_app::testing::Room;
use cloakroom_core::{ResultRef, Status};

use crate::scene::play;

/// Makes a thumbnail of an input.
pub fn run(input: &[u8]) {
    let at = input
        .iter()
        .position(|byte| *byte == b'\n')
        .unwrap_or(input.len());
    let (query, image) = (&input[..at], input.get(at + 1..).unwrap_or_default());
    let Ok(query) = std::str::from_utf8(query) else {
        return;
    };
    play(async || {
        let room = Room::new(
            demo::service()
                .with_diagnostics(false)
                .iter()
                .cloned()
                .collect(),
        );
        let body = Body::Sent {
            content_type: Some("image/png".into()),
            bytes: Bytes::copy_from_slice(image),
        };
        let Ok(submitted) = room.send_body("thumbnail.create", None, query, body).await else {
            return;
        };
        room.work_until_idle().await;
        let job = room.poll(&submitted.job.key()).await;
        match job.status {
            Status::Succeeded => {
                let result = job
                    .success
                    .and_then(|success| success.result)
                    .expect("a thumbnail");
                assert!(result.content_type().starts_with("image/"));
                assert!(!matches!(result, ResultRef::Inline { bytes, .. } if bytes.is_empty()));
            }
            Status::Failed => {
                // `job-failed` would mean that the handler gave no code: it panicked.
                let failure = job.failure.expect("why");
                let codes = ["image-unreadable", "image-too-large", "image-unsupported"];
                assert!(codes.contains(&failure.code.as_str()), "{failure:?}");
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(job.attempt, 1, "another attempt would end the same");
    });
}
