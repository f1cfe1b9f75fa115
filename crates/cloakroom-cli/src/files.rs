//! Files in the program: the template of a project, and the scripts that deploy to LocalStack.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::Path;

/// A file: its path, relative to the target folder, and its text.
pub(crate) type Embedded = (&'static str, &'static str);

macro_rules! embedded {
    ($folder:literal: $($path:literal $(from $file:literal)?),* $(,)?) => {
        &[$((
            $path,
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/", $folder, "/", embedded!(@ $path $($file)?))),
        )),*]
    };
    (@ $path:literal) => { $path };
    (@ $path:literal $file:literal) => { $file };
}

/// Template of a project: links to the folders and files at the root of the repository. Two have another name here: cargo leaves
/// a folder with a `Cargo.toml` out of a package, and git reads no `.gitignore` that is a link.
pub(crate) const TEMPLATE: &[Embedded] = embedded!["template":
    ".cargo/config.toml",
    ".github/workflows/check.yml",
    ".gitignore" from "gitignore",
    "Cargo.toml" from "manifest.toml",
    "README.md",
    "infra/samconfig.toml",
    "infra/template.yaml",
    "src/bin/dead-letters.rs",
    "src/bin/notify.rs",
    "src/bin/status.rs",
    "src/bin/submit.rs",
    "src/bin/sweeper.rs",
    "src/bin/worker.rs",
    "src/lib.rs",
    "src/main.rs",
    "src/order.rs",
];

/// Scripts that start an emulator of AWS and deploy a service to it.
pub(crate) const LOCALSTACK: &[Embedded] = embedded!["localstack":
    "compose.yaml",
    "down",
    "lib/data_template.py",
    "lib/emulators.py",
    "lib/poller.py",
    "lib/processes.py",
    "lib/run.py",
    "lib/stack.py",
    "lib/tools.py",
    "lib/watch.py",
    "native/LoopbackDynamoDb.java",
    "native/executor.py",
    "native/java",
    "native/run_localstack.py",
    "native/run_ministack.py",
    "native/runtime_api.py",
    "requirements/deploy.txt",
    "requirements/localstack.txt",
    "requirements/ministack.txt",
    "requirements/uv.txt",
    "status",
    "up",
];

/// Writes a file and the folders above it. A script (`#!`) becomes executable.
pub(crate) fn write(folder: &Path, path: &str, text: &str) -> io::Result<()> {
    let path = folder.join(path);
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    let mut file = File::create(&path)?;
    file.write_all(text.as_bytes())?;
    #[cfg(unix)]
    if text.starts_with("#!") {
        use std::os::unix::fs::PermissionsExt as _;
        file.set_permissions(fs::Permissions::from_mode(0o755))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Returns the files below a folder of the crate but those that a name excludes.
    fn below(folder: &Path, prefix: &str, excluded: &[&str], found: &mut BTreeSet<String>) {
        for entry in fs::read_dir(folder).expect("a folder") {
            let entry = entry.expect("an entry");
            let path = format!("{prefix}{}", entry.file_name().to_string_lossy());
            if excluded.iter().any(|name| path.ends_with(name)) {
                continue;
            }
            if entry.path().is_dir() {
                below(&entry.path(), &format!("{path}/"), excluded, found);
            } else {
                found.insert(path);
            }
        }
    }

    #[test]
    fn every_file_of_the_template_and_the_scripts_is_embedded() {
        // Files that only this repository uses, or the programs that make a project of the template.
        let not_in_a_project = ["cargo-generate.toml", "CargoLambda.toml"];
        let not_in_the_scripts = [
            ".tools",
            ".run",
            "__pycache__",
            "README.md",
            "fetch",
            "metrics",
            "programs",
            "requirements/extended.txt",
            "soak",
            "test",
        ];
        for (folder, embedded, excluded) in [
            ("template", TEMPLATE, &not_in_a_project[..]),
            ("localstack", LOCALSTACK, &not_in_the_scripts[..]),
        ] {
            let mut found = BTreeSet::new();
            let root = Path::new(env!("CARGO_MANIFEST_DIR"))
                .join("../..")
                .join(folder);
            below(&root, "", excluded, &mut found);
            let listed: BTreeSet<_> = embedded
                .iter()
                .map(|(path, _)| (*path).to_owned())
                .collect();
            assert_eq!(found, listed, "{folder}");
            for (path, text) in embedded {
                let file = fs::read_to_string(root.join(path)).expect("a file");
                assert_eq!(file, *text, "{path}");
            }
        }
    }
}
