//! Signatures of webhooks: Standard Webhooks 1.0
//! (<https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>).

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::Timestamp;

/// Secret with which a tenant's webhooks are signed: 32 bytes.
#[derive(Clone, PartialEq, Eq)]
pub struct WebhookSecret([u8; 32]);

impl WebhookSecret {
    /// Creates a secret from its bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Returns the form that receivers configure: `whsec_` and base64.
    pub fn reveal(&self) -> String {
        format!("whsec_{}", BASE64.encode(self.0))
    }

    fn sign(&self, id: &str, timestamp: i64, body: &[u8]) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("a key may have any length");
        for part in [
            id.as_bytes(),
            b".",
            timestamp.to_string().as_bytes(),
            b".",
            body,
        ] {
            mac.update(part);
        }
        format!("v1,{}", BASE64.encode(mac.finalize().into_bytes()))
    }
}

impl fmt::Debug for WebhookSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WebhookSecret(…)")
    }
}

/// Returns the headers of a webhook: its id, its time in seconds, and one signature per secret.
pub fn headers(
    secrets: &[WebhookSecret],
    id: &str,
    now: Timestamp,
    body: &[u8],
) -> [(&'static str, String); 3] {
    let timestamp = now.as_millis().div_euclid(1000);
    let signatures: Vec<_> = secrets
        .iter()
        .map(|secret| secret.sign(id, timestamp, body))
        .collect();
    [
        ("webhook-id", id.to_owned()),
        ("webhook-timestamp", timestamp.to_string()),
        ("webhook-signature", signatures.join(" ")),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the specification's reference libraries.
    #[test]
    fn a_signature_is_that_of_the_reference_libraries() {
        let key = BASE64
            .decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
            .expect("base64");
        let mut mac = Hmac::<Sha256>::new_from_slice(&key).expect("any length");
        mac.update(br#"msg_p5jXN8AQM9LWM0D4loKWxJek.1614265330.{"test": 2432232314}"#);
        assert_eq!(
            BASE64.encode(mac.finalize().into_bytes()),
            "g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
        );
        let secret = WebhookSecret::from_bytes([7; 32]);
        let mut mac = Hmac::<Sha256>::new_from_slice(&[7; 32]).expect("any length");
        mac.update(b"j/3.1795248000.{}");
        let want = format!("v1,{}", BASE64.encode(mac.finalize().into_bytes()));
        let now = Timestamp::from_millis(1_795_248_000_999);
        let [id, time, signature] = headers(std::slice::from_ref(&secret), "j/3", now, b"{}");
        assert_eq!(id, ("webhook-id", "j/3".to_owned()));
        assert_eq!(time, ("webhook-timestamp", "1795248000".to_owned()));
        assert_eq!(signature, ("webhook-signature", want));
    }

    #[test]
    fn each_secret_adds_a_signature() {
        let secrets = [1, 2].map(|byte| WebhookSecret::from_bytes([byte; 32]));
        let now = Timestamp::from_seconds(1);
        let [.., (_, both)] = headers(&secrets, "j/1", now, b"{}");
        let each = secrets.map(|secret| headers(&[secret], "j/1", now, b"{}")[2].1.clone());
        assert_eq!(both, each.join(" "));
        assert_ne!(each[0], each[1]);
    }

    #[test]
    fn a_secret_is_shown_only_when_asked_for() {
        let secret = WebhookSecret::from_bytes([0; 32]);
        assert_eq!(
            secret.reveal(),
            "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
        );
        assert!(!format!("{secret:?}").contains("AAAA"));
    }
}
