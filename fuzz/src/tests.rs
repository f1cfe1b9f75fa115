//! Replays the corpora, and the crashes that were found.

use std::fs;
use std::path::PathBuf;

/// Replays each file of a target's corpus, which must have at least five.
fn play(name: &str, run: fn(&[u8])) {
    let folder = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/corpus")).join(name);
    let mut files: Vec<_> = fs::read_dir(&folder)
        .expect("a corpus")
        .map(|file| file.expect("a file").path())
        .collect();
    files.sort();
    assert!(files.len() >= 5, "{}", folder.display());
    for file in files {
        // A failing test shows its output: the last file caused the failure.
        eprintln!("{}", file.display());
        run(&fs::read(&file).expect("a file"));
    }
}

macro_rules! corpora {
    ($($name:ident),*) => {
        $(#[test]
        fn $name() {
            play(stringify!($name), super::$name::run);
        })*

        #[test]
        fn every_corpus_is_played_and_every_target_has_one() {
            let names = |folder: &str| {
                let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(folder);
                let mut names: Vec<_> = fs::read_dir(folder)
                    .expect("a folder")
                    .map(|entry| entry.expect("an entry").path().file_stem().expect("a name").to_string_lossy().into_owned())
                    .collect();
                names.sort();
                names
            };
            let mut played = vec![$(stringify!($name)),*];
            played.sort_unstable();
            assert_eq!(names("corpus"), played);
            assert_eq!(names("fuzz_targets"), played);
        }
    };
}

corpora!(requests, events, messages, records, payloads, names, images);
