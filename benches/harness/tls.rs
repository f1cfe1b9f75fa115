//! A certificate for the loopback address, created with `openssl`, and added to the roots that this machine trusts.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// Location of the roots on Amazon Linux and on Debian.
const ROOTS: [&str; 2] = [
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/certs/ca-certificates.crt",
];

pub(crate) struct Certificate {
    chain: PathBuf,
    key: PathBuf,
    /// Roots of the machine and the certificate, for `SSL_CERT_FILE`.
    pub(crate) roots: PathBuf,
}

impl Certificate {
    /// Creates the certificate in this directory.
    pub(crate) fn make(folder: &Path) -> Self {
        let [certificate, key, roots] =
            ["certificate.pem", "key.pem", "roots.pem"].map(|name| folder.join(name));
        let made = Command::new("openssl")
            .args("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=bench".split(' '))
            .args(["-addext", "subjectAltName=IP:127.0.0.1", "-addext", "basicConstraints=critical,CA:FALSE"])
            .arg("-keyout")
            .arg(&key)
            .arg("-out")
            .arg(&certificate)
            .output()
            .expect("openssl runs");
        assert!(
            made.status.success(),
            "{}",
            String::from_utf8_lossy(&made.stderr)
        );
        let known = ROOTS
            .iter()
            .find_map(|path| fs::read(path).ok())
            .unwrap_or_default();
        fs::write(
            &roots,
            [known, fs::read(&certificate).expect("it was made")].concat(),
        )
        .expect("a file");
        Self {
            chain: certificate,
            key,
            roots,
        }
    }

    pub(crate) fn server(&self) -> Arc<ServerConfig> {
        let certificate = CertificateDer::from_pem_file(&self.chain).expect("a certificate");
        let key = PrivateKeyDer::from_pem_file(&self.key).expect("a key");
        let config = ServerConfig::builder().with_no_client_auth();
        Arc::new(
            config
                .with_single_cert(vec![certificate], key)
                .expect("a key for its certificate"),
        )
    }
}
