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
        // HMAC pads a short key with zeros: with them, the key is the same.
        let mut padded = [0; 32];
        padded[..key.len()].copy_from_slice(&key);
        let secret = WebhookSecret::from_bytes(padded);
        let now = Timestamp::from_millis(1_614_265_330_999);
        let (id, body) = ("msg_p5jXN8AQM9LWM0D4loKWxJek", br#"{"test": 2432232314}"#);
        let headers = headers(&[secret], id, now, body);
        let want = [
            ("webhook-id", id),
            ("webhook-timestamp", "1614265330"),
            (
                "webhook-signature",
                "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
            ),
        ];
        assert_eq!(headers, want.map(|(name, value)| (name, value.to_owned())));
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
        let secret = WebhookSecret::from_bytes([0xfb; 32]);
        assert_eq!(
            secret.reveal(),
            "whsec_+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/s=",
            "not base64url"
        );
        assert_eq!(format!("{secret:?}"), "WebhookSecret(…)");
    }
}
