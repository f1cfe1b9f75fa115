//! `cloakroom new`: creates a project from the template.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::exit::{Exit, Failure};
use crate::files::{self, TEMPLATE};
use crate::show;

/// Name of the service in the template.
const TEMPLATE_NAME: &str = "orders";

/// Name of the package in the template: a name for `cargo lambda new`, or one for `cargo generate`.
const PACKAGE_NAME: &str =
    "{% if project_name %}{{project_name}}{% else %}{{project-name}}{% endif %}";

/// Dependency on Cloakroom in the template.
const CRATES: &str = "cloakroom = { version = \"0.1\", ";

/// The name of the directory becomes the name of the service.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Directory to create; it may exist if it is empty
    #[arg(value_name = "DIR")]
    directory: PathBuf,
    /// Use the crates of this checkout of Cloakroom, not those of crates.io
    #[arg(long, value_name = "CHECKOUT", conflicts_with = "git")]
    path: Option<PathBuf>,
    /// Use the crates of this Git repository of Cloakroom, not those of crates.io
    #[arg(long, value_name = "URL")]
    git: Option<String>,
}

/// Creates the project completely, or not at all.
pub(crate) fn run(args: &Args) -> Result<Exit, Failure> {
    let failure = |error: io::Error| {
        let directory = args.directory.display();
        Failure::usage(format!("failed to create {directory}: {error}"))
    };
    let directory = &std::path::absolute(&args.directory).map_err(failure)?;
    let name = project_name(directory)?;
    let crates = Crates::new(args)?;
    let is_empty = match fs::read_dir(directory) {
        Ok(mut entries) => entries.next().is_none(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => true,
        Err(error) => return Err(failure(error)),
    };
    if !is_empty {
        return Err(Failure::usage(format!(
            "{} is not empty: specify a new or an empty directory",
            directory.display()
        )));
    }
    let parent = directory.parent().unwrap_or(directory);
    fs::create_dir_all(parent).map_err(failure)?;
    // It is moved at the end, so that a failure leaves nothing behind.
    let made = tempfile::Builder::new()
        .prefix(".cloakroom-new-")
        .tempdir_in(parent)
        .map_err(failure)?;
    let project = made.path().join("project");
    for (path, text) in TEMPLATE {
        files::write(&project, path, &render(text, &name, &crates)).map_err(failure)?;
    }
    if let Crates::Path(checkout) = &crates {
        // The versions that Cloakroom is tested with.
        fs::copy(checkout.join("Cargo.lock"), project.join("Cargo.lock")).map_err(failure)?;
    }
    if directory.exists() {
        // Its content alone: it may be the working directory of a shell.
        for entry in fs::read_dir(&project).map_err(failure)? {
            let entry = entry.map_err(failure)?;
            fs::rename(entry.path(), directory.join(entry.file_name())).map_err(failure)?;
        }
    } else {
        fs::rename(&project, directory).map_err(failure)?;
    }
    show::note(&format!(
        "created {name}; next:\n  cd {}\n  cargo run",
        args.directory.display()
    ));
    Ok(Exit::Success)
}

/// Source of Cloakroom's crates.
#[derive(Debug)]
enum Crates {
    Registry,
    /// A checkout, by its absolute path.
    Path(PathBuf),
    Git(String),
}

impl Crates {
    fn new(args: &Args) -> Result<Self, Failure> {
        if let Some(url) = &args.git {
            if url.is_empty() || url.contains(['"', '\\', '\n']) {
                return Err(Failure::usage("--git needs the URL of a repository"));
            }
            return Ok(Self::Git(url.clone()));
        }
        let Some(path) = &args.path else {
            return Ok(Self::Registry);
        };
        let checkout = path.canonicalize().ok().filter(|path| {
            path.join("crates/cloakroom/Cargo.toml").is_file() && path.join("Cargo.lock").is_file()
        });
        let text = checkout.as_ref().and_then(|path| path.to_str());
        if text.is_none_or(|text| text.contains(['"', '\\', '\n'])) {
            return Err(Failure::usage(format!(
                "{} has no crates/cloakroom: specify a checkout of Cloakroom with --path",
                path.display()
            )));
        }
        Ok(checkout.map_or(Self::Registry, Self::Path))
    }

    /// Returns the start of the dependency on the crate `cloakroom`.
    fn dependency(&self) -> String {
        match self {
            Self::Registry => CRATES.to_owned(),
            Self::Path(path) => {
                format!(
                    "cloakroom = {{ path = \"{}/crates/cloakroom\", ",
                    path.display()
                )
            }
            Self::Git(url) => format!("cloakroom = {{ git = \"{url}\", "),
        }
    }

    /// Returns the patch of a dependency, which each project must repeat. It saves 600 KB in each function.
    fn patch(&self) -> String {
        let source = match self {
            // The registry has no patched version, so functions are larger.
            Self::Registry => return String::new(),
            Self::Path(path) => format!("path = \"{}/crates/crc-fast\"", path.display()),
            Self::Git(url) => format!("git = \"{url}\""),
        };
        format!(
            "\n[patch.crates-io]\n# 600 KB less in every function that uses S3.\ncrc-fast = {{ {source} }}\n"
        )
    }
}

/// Returns the name of the project: that of the directory (an absolute path), which must be a valid name of a package.
fn project_name(directory: &Path) -> Result<String, Failure> {
    let name = directory
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or_default();
    let is_name = name.len() <= 40
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
        && !name.ends_with('-');
    // Names of the functions, and of crates that the project uses.
    let taken = [
        "submit",
        "worker",
        "status",
        "dead-letters",
        "notify",
        "sweeper",
        "cloakroom",
        "schemars",
        "serde",
        "tokio",
        "test",
        "core",
        "std",
        "alloc",
    ];
    if is_name && !taken.contains(&name) && !is_keyword(name) {
        return Ok(name.to_owned());
    }
    Err(Failure::usage(format!(
        "{name:?} is not a valid name of a service: use at most 40 lowercase letters, digits and hyphens, such as `orders`, \
         and no keyword or name of a function or crate of the project"
    )))
}

/// Returns true if the name is a keyword of Rust.
fn is_keyword(name: &str) -> bool {
    [
        "abstract", "as", "async", "await", "become", "box", "break", "const", "continue", "crate",
        "do", "dyn", "else", "enum", "extern", "false", "final", "fn", "for", "gen", "if", "impl",
        "in", "let", "loop", "macro", "match", "mod", "move", "mut", "override", "priv", "pub",
        "ref", "return", "self", "static", "struct", "super", "trait", "true", "try", "type",
        "typeof", "unsafe", "unsized", "use", "virtual", "where", "while", "yield",
    ]
    .contains(&name)
}

fn render(text: &str, name: &str, crates: &Crates) -> String {
    let library = name.replace('-', "_");
    let mut text = text
        .replace(PACKAGE_NAME, name)
        .replace(CRATES, &crates.dependency())
        .replace(
            &format!("[lib]\nname = \"{TEMPLATE_NAME}\"\n\n"),
            "", // the name of the package
        )
        .replace(
            &format!("{TEMPLATE_NAME}::service"),
            &format!("{library}::service"),
        )
        .replace(&format!("# {TEMPLATE_NAME}\n"), &format!("# {name}\n"))
        .replace(
            &format!("\"{TEMPLATE_NAME}\""),
            &format!("\"{name}\""), // the stack
        );
    if text.starts_with("[package]") {
        text.push_str(&crates.patch());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn make(args: &Args) -> Result<(), String> {
        run(args).map(drop).map_err(|failure| failure.message)
    }

    fn args(directory: PathBuf) -> Args {
        Args {
            directory,
            path: None,
            git: None,
        }
    }

    fn checkout() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
    }

    #[test]
    fn a_project_has_its_name_in_every_file_and_nothing_of_the_template() {
        let folder = tempfile::tempdir().expect("a folder");
        let project = folder.path().join("coat-check");
        make(&args(project.clone())).expect("a project");
        for (path, _) in TEMPLATE {
            let text = fs::read_to_string(project.join(path)).expect("a file");
            assert!(!text.contains("{%") && !text.contains("{{"), "{path}");
            if *path != "src/order.rs" {
                assert!(
                    !text.contains("orders::") && !text.contains("\"orders\""),
                    "{path}"
                );
            }
        }
        let read = |path: &str| fs::read_to_string(project.join(path)).expect("a file");
        assert!(read("Cargo.toml").contains("name = \"coat-check\"\nversion"));
        assert!(read("src/main.rs").contains("coat_check::service()"));
        assert!(read(".cargo/config.toml").contains("CLOAKROOM_STACK = \"coat-check\""));
        assert!(read("infra/samconfig.toml").contains("stack_name = \"coat-check\""));
        assert!(read("README.md").starts_with("# coat-check\n"));
    }

    #[test]
    fn the_crates_come_from_where_it_is_said() {
        let folder = tempfile::tempdir().expect("a folder");
        let manifest = |name: &str, path: Option<PathBuf>, git: Option<&str>| {
            let directory = folder.path().join(name);
            make(&Args {
                directory: directory.clone(),
                path,
                git: git.map(str::to_owned),
            })
            .expect("a project");
            let locked = directory.join("Cargo.lock").exists();
            let text = fs::read_to_string(directory.join("Cargo.toml")).expect("a manifest");
            (text, locked)
        };
        let (registry, locked) = manifest("one", None, None);
        assert!(registry.contains("cloakroom = { version = \"0.1\", ") && !locked);
        assert!(!registry.contains("[patch"));
        let (path, locked) = manifest("two", Some(checkout()), None);
        assert!(path.contains("/crates/cloakroom\", ") && locked);
        assert!(path.contains("/crates/crc-fast\" }"));
        let (git, locked) = manifest("three", None, Some("https://example.com/c.git"));
        assert!(git.contains("cloakroom = { git = \"https://example.com/c.git\", ") && !locked);
        assert!(git.contains("crc-fast = { git = \"https://example.com/c.git\" }"));
    }

    #[test]
    fn a_directory_that_is_not_empty_is_refused_and_left_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("notes"), "mine").expect("a file");
        let project = folder.path().join("orders");
        fs::create_dir(&project).expect("a folder");
        make(&args(project.clone())).expect("an empty directory is good");

        let refused = make(&args(project.clone())).expect_err("it has a project");
        assert!(refused.contains("is not empty: specify a new or an empty directory"));
        let file = folder.path().join("notes");
        make(&args(file.clone())).expect_err("a file is no directory");
        assert_eq!(fs::read_to_string(file).expect("as it was"), "mine");
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 2);
    }

    #[test]
    fn a_name_that_no_package_can_have_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        for name in [
            "Orders", "1st", "a b", "-x", "x-", "match", "submit", "serde", "ä", "a_b",
        ] {
            let refused = make(&args(folder.path().join(name))).expect_err(name);
            assert!(
                refused.contains("is not a valid name of a service"),
                "{refused}"
            );
        }
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 0);
    }

    #[test]
    fn a_checkout_or_repository_that_is_none_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let with = |path: Option<&Path>, git: Option<&str>| {
            make(&Args {
                directory: folder.path().join("orders"),
                path: path.map(Path::to_owned),
                git: git.map(str::to_owned),
            })
            .expect_err("it is rejected")
        };
        assert!(with(Some(folder.path()), None).contains("specify a checkout of Cloakroom"));
        assert!(with(None, Some("")).contains("needs the URL of a repository"));
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 0);
    }
}
