//! Durability of data, and exclusive access to it.

use std::path::Path;

use aws_sdk_sqs::types::MessageSystemAttributeName::ApproximateReceiveCount;
use cloakroom_embedded::{Services, StartError, Storage};

use crate::harness::{Running, in_folder};

async fn fill(running: &Running) {
    let queue = running.queue("jobs", &[("VisibilityTimeout", "40")]).await;
    for body in ["in flight", "waiting"] {
        running
            .sqs()
            .send_message()
            .queue_url(&queue)
            .message_body(body)
            .send()
            .await
            .expect("sent");
    }
    running
        .sqs()
        .receive_message()
        .queue_url(&queue)
        .send()
        .await
        .expect("received");
    crate::dynamodb::table(running).await;
    crate::dynamodb::put(running, "kept").await.expect("put");
    let s3 = running.s3();
    s3.create_bucket()
        .bucket("files")
        .send()
        .await
        .expect("made");
    let body = aws_sdk_s3::primitives::ByteStream::from_static(b"kept");
    s3.put_object()
        .bucket("files")
        .key("a/b")
        .body(body)
        .send()
        .await
        .expect("put");
}

async fn check(running: &Running) {
    let queue = running.services.queue_url("jobs");
    let receive = || async {
        let received = running
            .sqs()
            .receive_message()
            .queue_url(&queue)
            .max_number_of_messages(10)
            .message_system_attribute_names(ApproximateReceiveCount)
            .send()
            .await
            .expect("received");
        let tell = |message: &aws_sdk_sqs::types::Message| {
            let count = &message.attributes().expect("asked for")[&ApproximateReceiveCount];
            format!("{} {count}", message.body().unwrap_or_default())
        };
        received.messages().iter().map(tell).collect::<Vec<_>>()
    };
    // The clock shows the same time as before.
    assert_eq!(receive().await, ["waiting 1"]);
    running.time.pass_s(40);
    assert_eq!(receive().await, ["in flight 2", "waiting 2"]);
    crate::dynamodb::put(running, "kept")
        .await
        .expect_err("it is there");
    let object = running
        .s3()
        .get_object()
        .bucket("files")
        .key("a/b")
        .send()
        .await
        .expect("kept");
    let bytes = object.body.collect().await.expect("read").into_bytes();
    assert_eq!(&bytes[..], b"kept");
}

#[tokio::test]
async fn a_restart_finds_everything_again_on_the_same_ports() {
    let folder = tempfile::tempdir().expect("a folder");
    let running = in_folder(folder.path()).await;
    fill(&running).await;
    let urls = |services: &Services| {
        [
            services.dynamodb_url(),
            services.sqs_url(),
            services.s3_url(),
        ]
        .map(str::to_owned)
    };
    let before = urls(&running.services);
    running.services.shutdown().await;

    let running = in_folder(folder.path()).await;
    assert_eq!(urls(&running.services), before);
    check(&running).await;
}

/// Copies the files while the services run, which simulates a killed process.
#[tokio::test]
async fn a_killed_process_leaves_everything_behind() {
    let folder = tempfile::tempdir().expect("a folder");
    let running = in_folder(folder.path()).await;
    fill(&running).await;
    let left = tempfile::tempdir().expect("a folder");
    copy(folder.path(), left.path());

    let running = in_folder(left.path()).await;
    check(&running).await;
}

fn copy(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).expect("readable") {
        let entry = entry.expect("readable");
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            std::fs::create_dir(&to).expect("made");
            copy(&entry.path(), &to);
        // Shared memory belongs to the process; SQLite recreates it.
        } else if entry.path().extension().is_none_or(|it| it != "sqlite-shm") {
            std::fs::copy(entry.path(), to).expect("copied");
        }
    }
}

#[tokio::test]
async fn a_folder_serves_one_process_at_a_time() {
    let folder = tempfile::tempdir().expect("a folder");
    let running = in_folder(folder.path()).await;
    let second = Services::start(Storage::Folder(folder.path())).await;
    assert!(
        matches!(second, Err(StartError::InUse { .. })),
        "{second:?}"
    );
    drop(running);
    Services::start(Storage::Folder(folder.path()))
        .await
        .expect("free again");
}
