use std::os::unix::fs::symlink;

use super::*;

fn named(path: &Path) -> Target {
    Target::parse(path.to_str().expect("text")).expect("a place")
}

#[test]
fn links_are_followed_to_their_end_also_where_nothing_is_yet() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    fs::create_dir(at("elsewhere")).expect("a folder");
    symlink("second", at("first")).expect("a link");
    symlink("elsewhere/real", at("second")).expect("a link");
    assert_eq!(named(&at("first")), Target::File(at("elsewhere/real")));
    fs::write(at("elsewhere/real"), "old").expect("written");
    assert_eq!(named(&at("first")), Target::File(at("elsewhere/real")));
}

#[test]
fn devices_pipes_and_open_files_are_written_to_as_they_are() {
    assert_eq!(
        named(Path::new("/dev/null")),
        Target::Stream("/dev/null".into())
    );
    let file = tempfile::tempfile().expect("a file");
    let open = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&file));
    assert_eq!(named(Path::new(&open)), Target::Stream(open.into()));
    for name in STDOUT {
        assert_eq!(named(Path::new(name)), Target::Stdout);
    }
}

#[test]
fn what_can_be_no_file_is_rejected_before_anything_is_requested() {
    let folder = tempfile::tempdir().expect("a folder");
    let round = folder.path().join("round");
    symlink("round", &round).expect("a link");
    let new = folder.path().join("new").display().to_string() + "/";
    for (name, why) in [
        (folder.path().to_str().expect("text"), "it is a folder"),
        (&new, "it is a folder"),
        (round.to_str().expect("text"), "symbolic link"),
    ] {
        let failure = Target::parse(name).expect_err("no place for a result");
        assert_eq!(failure.exit, Exit::Usage);
        assert!(
            failure.message.contains(why) && failure.message.contains(name),
            "{}",
            failure.message
        );
    }
}
