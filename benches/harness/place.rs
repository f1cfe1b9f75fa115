//! Location of the programs, and the variables of their functions.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::aws::Aws;
use crate::callgrind::callgrind;
use crate::process::Function;
use crate::tls::Certificate;

/// Programs, and the stand-in for AWS that they call.
pub(crate) struct Place {
    programs: PathBuf,
    /// Directory of the copies that are started.
    copies: PathBuf,
    pub(crate) aws: Aws,
    roots: PathBuf,
}

impl Place {
    pub(crate) fn new(programs: PathBuf) -> Self {
        let folder = programs.join("bench");
        let copies = folder.join("functions");
        fs::create_dir_all(&copies).expect("a folder that can be made");
        let certificate = Certificate::make(&folder);
        Self {
            programs,
            copies,
            aws: Aws::start(&certificate),
            roots: certificate.roots,
        }
    }

    /// Creates a new copy of a function's program. The physical location of a file's pages changes its speed by some
    /// percent, as long as they remain there. A new copy has other pages.
    pub(crate) fn copy(&self, name: &str) {
        let (from, to) = (self.program(name), self.copies.join(name));
        // A process of the previous copy may still be running.
        _ = fs::remove_file(&to);
        let mut copy = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o755)
            .open(to)
            .expect("a new file");
        // Page by page, like the linker, because data that is written at once is cached and mapped at once.
        for page in fs::read(from)
            .expect("a program that was built")
            .chunks(4096)
        {
            copy.write_all(page).expect("space for a copy");
        }
    }

    pub(crate) fn program(&self, name: &str) -> PathBuf {
        self.programs.join(name)
    }

    /// Starts a function with or without TLS.
    pub(crate) fn start(&self, name: &str, secure: bool) -> Function {
        Function::start(
            Command::new(self.copies.join(name)),
            &self.variables(secure),
        )
    }

    /// Starts a function under callgrind. `None` without valgrind.
    pub(crate) fn under_callgrind(&self, name: &str) -> Option<Function> {
        let mut command = callgrind()?;
        command.arg(self.copies.join(name));
        Some(Function::start(command, &self.variables(false)))
    }

    fn variables(&self, secure: bool) -> Vec<(&'static str, String)> {
        let text = |path: &Path| path.to_str().expect("a path in UTF-8").to_owned();
        let [dynamodb, sqs, s3] = if secure {
            &self.aws.secure_urls
        } else {
            &self.aws.urls
        };
        vec![
            ("PATH", std::env::var("PATH").unwrap_or_default()),
            ("AWS_REGION", "us-east-1".to_owned()),
            ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE".to_owned()),
            (
                "AWS_SECRET_ACCESS_KEY",
                "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".to_owned(),
            ),
            ("AWS_SESSION_TOKEN", "IQoJb3JpZ2luX2Vj".repeat(40)),
            ("AWS_ENDPOINT_URL_DYNAMODB", dynamodb.clone()),
            ("AWS_ENDPOINT_URL_SQS", sqs.clone()),
            ("AWS_ENDPOINT_URL_S3", s3.clone()),
            ("SSL_CERT_FILE", text(&self.roots)),
            ("CLOAKROOM_TABLE", "jobs".to_owned()),
            ("CLOAKROOM_BUCKET", "bucket".to_owned()),
            (
                "CLOAKROOM_QUEUE_URL",
                "https://sqs.us-east-1.amazonaws.com/000000000000/work".to_owned(),
            ),
            (
                "CLOAKROOM_NAMESPACE",
                "c10a6300-0000-4000-8000-000000000001".to_owned(),
            ),
            (
                "CLOAKROOM_PUBLIC_BASE_URL",
                "https://example.org/v1".to_owned(),
            ),
            ("CLOAKROOM_DIAGNOSTICS", "on".to_owned()),
        ]
    }
}
