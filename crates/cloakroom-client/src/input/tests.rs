use std::io::Write as _;

use super::*;

/// More than is held in memory, and not a multiple of anything.
fn large() -> Vec<u8> {
    (0..IN_MEMORY + 12345)
        .map(|at| u8::try_from(at % 251).expect("below 251"))
        .collect()
}

fn file(bytes: &[u8]) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    file.write_all(bytes).expect("written");
    file
}

async fn whole(input: &Input) -> Bytes {
    input.read(0, input.length()).await.expect("it can be read")
}

/// Input from a pipe that another thread writes to.
async fn piped(bytes: Vec<u8>) -> Input {
    let (reader, mut writer) = io::pipe().expect("a pipe");
    let writing = std::thread::spawn(move || writer.write_all(&bytes));
    let input = Input::from_file("standard input", piped_file(reader))
        .await
        .expect("input");
    writing.join().expect("no panic").expect("written");
    input
}

fn piped_file(reader: io::PipeReader) -> File {
    std::os::fd::OwnedFd::from(reader).into()
}

#[tokio::test]
async fn what_can_be_read_only_once_is_read_once_and_sent_as_often_as_it_takes() {
    for bytes in [b"hello\n".to_vec(), large()] {
        let input = piped(bytes.clone()).await;
        assert_eq!(
            input.sha256().await.expect("a digest"),
            Digest::from_content(&bytes)
        );
        assert_eq!(whole(&input).await, bytes);
        assert_eq!(whole(&input).await, bytes);
        assert_eq!(
            input.beginning().await.expect("a beginning"),
            bytes[..bytes.len().min(64)]
        );
        assert_eq!(input.modified(), None);
    }
}

#[tokio::test]
async fn a_copy_has_no_name_and_is_for_this_user_alone() {
    use std::os::unix::fs::MetadataExt as _;
    let Data::File(copy) = piped(large()).await.data else {
        panic!("it does not fit in memory")
    };
    let about = copy.file.metadata().expect("it is open");
    assert_eq!((about.nlink(), about.mode() & 0o777), (0, 0o600));
}

#[tokio::test]
async fn a_file_without_a_length_is_read_to_its_end() {
    let input = Input::open("/proc/self/status").await.expect("input");
    assert!(whole(&input).await.starts_with(b"Name:"));
}

#[tokio::test]
async fn a_large_file_is_read_in_place_from_where_its_handle_stands() {
    let bytes = large();
    let file = file(&bytes);
    let mut open = File::open(file.path()).expect("open");
    open.seek(io::SeekFrom::Start(100))
        .expect("it can be positioned");
    let input = Input::from_file("a file", open).await.expect("input");
    assert!(!input.is_copy() && input.modified().is_some());
    assert_eq!(whole(&input).await, bytes[100..]);
}

#[tokio::test]
async fn of_a_file_that_grows_the_bytes_are_taken_that_were_there() {
    let bytes = large();
    let mut file = file(&bytes);
    let input = Input::open(file.path()).await.expect("input");
    file.write_all(b"more").expect("written");
    assert_eq!(whole(&input).await, bytes);
}

#[tokio::test]
async fn a_file_that_shrinks_is_an_error_that_names_it() {
    let file = file(&large());
    let input = Input::open(file.path()).await.expect("input");
    file.as_file()
        .set_len(5_000_000 - 1_000_000)
        .expect("shorter");
    let error = input.sha256().await.expect_err("it is shorter").to_string();
    let name = file.path().display().to_string();
    assert!(
        error.contains(&name) && error.contains("the file changed while it was read"),
        "{error}"
    );
}

#[tokio::test]
async fn a_file_that_was_replaced_is_still_the_one_that_was_opened() {
    let (bytes, folder) = (large(), tempfile::tempdir().expect("a folder"));
    let (path, other) = (folder.path().join("a"), folder.path().join("b"));
    std::fs::write(&path, &bytes).expect("written");
    std::fs::write(&other, b"other").expect("written");
    let input = Input::open(&path).await.expect("input");
    std::fs::rename(&other, &path).expect("renamed");
    assert_eq!(whole(&input).await, bytes);
}

#[tokio::test]
async fn a_folder_and_a_missing_file_are_errors_that_name_them() {
    let folder = tempfile::tempdir().expect("a folder");
    let error = Input::open(folder.path())
        .await
        .expect_err("a folder")
        .to_string();
    assert!(error.contains("it is a folder"), "{error}");
    let error = Input::open(folder.path().join("none"))
        .await
        .expect_err("missing")
        .to_string();
    assert!(
        error.contains("none") && error.contains("No such file"),
        "{error}"
    );
}
