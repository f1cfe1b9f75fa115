use tempfile::TempDir;

use super::*;

/// Returns a directory as the services leave it.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    std::fs::create_dir_all(path("s3/cloakroom")).expect("made");
    std::fs::write(path("s3/.cloakroom.metadata.json"), "{}").expect("written");
    drop(crate::dynamodb::open(Some(&path("dynamodb.sqlite"))).expect("made"));
    drop(crate::sqs::Store::open(Some(&path("sqs.sqlite"))).expect("made"));
    folder
}

/// Returns the reported file and the reason.
fn found(folder: &TempDir) -> (String, String) {
    match check(folder.path()) {
        Err(StartError::Data { file, reason, .. }) => (
            file.strip_prefix(folder.path())
                .expect("below")
                .display()
                .to_string(),
            reason,
        ),
        other => panic!("want damage, got {other:?}"),
    }
}

#[test]
fn a_folder_that_the_services_left_is_whole() {
    check(folder().path()).expect("whole");
}

#[test]
fn a_folder_that_was_never_used_is_whole() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::create_dir(folder.path().join("s3")).expect("made");
    std::fs::write(folder.path().join("dynamodb.sqlite"), "").expect("written");
    check(folder.path()).expect("a start that was killed leaves it so");
}

#[test]
fn a_database_that_was_overwritten_is_named() {
    for name in ["dynamodb.sqlite", "sqs.sqlite"] {
        let folder = folder();
        std::fs::write(folder.path().join(name), "rubbish".repeat(1000)).expect("written");
        assert_eq!(
            found(&folder),
            (name.to_owned(), "file is not a database".to_owned())
        );
    }
}

#[test]
fn a_database_with_a_damaged_page_is_named() {
    for name in ["dynamodb.sqlite", "sqs.sqlite"] {
        let (folder, path) = (folder(), |folder: &TempDir| folder.path().join(name));
        let mut bytes = std::fs::read(path(&folder)).expect("read");
        bytes[4096..8192].fill(0xA5);
        std::fs::write(path(&folder), bytes).expect("written");
        assert_eq!(found(&folder).0, name);
    }
}

#[test]
fn a_table_that_was_emptied_is_named() {
    let folder = folder();
    std::fs::write(folder.path().join("dynamodb.sqlite"), "").expect("written");
    assert_eq!(found(&folder).0, "dynamodb.sqlite");
}

#[test]
fn a_newer_table_is_rejected_and_the_known_version_is_the_linked_one() {
    let folder = folder();
    let connection = Connection::open(folder.path().join("dynamodb.sqlite")).expect("opened");
    assert_eq!(version(&connection), Some(DYNAMODB_SCHEMA));
    connection
        .execute(
            "UPDATE _config SET value = '99' WHERE key = 'schema_version'",
            [],
        )
        .expect("written");
    let reason = format!("its tables are of version 99, this program knows {DYNAMODB_SCHEMA}");
    assert_eq!(found(&folder), ("dynamodb.sqlite".to_owned(), reason));
}

#[test]
fn a_bucket_that_is_a_file_is_named() {
    let folder = folder();
    std::fs::write(folder.path().join("s3/files"), "").expect("written");
    assert_eq!(
        found(&folder),
        ("s3/files".to_owned(), "it is not a folder".to_owned())
    );
}
