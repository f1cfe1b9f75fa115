//! Body of a message whose payload is an object in S3: a JSON array with the name of a Java class and an object with
//! two members, as Jackson writes a typed value.

use serde_json::Value;

/// Location of a payload.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Pointer {
    /// Name of the bucket.
    pub bucket: String,
    /// Key of the object.
    pub key: String,
}

/// Class name in a pointer. Both names are accepted with either attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum PointerClass {
    /// `software.amazon.payloadoffloading.PayloadS3Pointer`: the Java library from version 1.1, and the Python library.
    #[default]
    PayloadS3Pointer,
    /// `com.amazon.sqs.javamessaging.MessageS3Pointer`: older versions, and the Python library with
    /// `use_legacy_attribute`.
    MessageS3Pointer,
}

/// Error of parsing a body that is not a pointer. Contains the reason.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the body is no pointer: {0}")]
pub struct InvalidPointer(String);

impl PointerClass {
    /// Returns the class name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PayloadS3Pointer => "software.amazon.payloadoffloading.PayloadS3Pointer",
            Self::MessageS3Pointer => "com.amazon.sqs.javamessaging.MessageS3Pointer",
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        [Self::PayloadS3Pointer, Self::MessageS3Pointer]
            .into_iter()
            .find(|class| class.as_str() == name)
    }
}

impl Pointer {
    /// Creates a pointer to an object.
    pub fn new(bucket: impl Into<String>, key: impl Into<String>) -> Self {
        Self {
            bucket: bucket.into(),
            key: key.into(),
        }
    }

    /// Returns the body of a message, byte for byte as the Java library writes it.
    ///
    /// ```
    /// use cloakroom_sqs_extended_client::{Pointer, PointerClass};
    ///
    /// let body = Pointer::new("bucket", "key").to_body(PointerClass::PayloadS3Pointer);
    /// assert_eq!(body, r#"["software.amazon.payloadoffloading.PayloadS3Pointer",{"s3BucketName":"bucket","s3Key":"key"}]"#);
    /// ```
    pub fn to_body(&self, class: PointerClass) -> String {
        let text = |text: &str| Value::from(text);
        let (class, bucket, key) = (text(class.as_str()), text(&self.bucket), text(&self.key));
        format!(r#"[{class},{{"s3BucketName":{bucket},"s3Key":{key}}}]"#)
    }

    /// Parses the body of a message from any of the libraries. Ignores white space and further members.
    ///
    /// Check for an attribute first ([`SizeAttribute::from_names`](crate::SizeAttribute::from_names)). Without one, a
    /// body that looks like a pointer is the payload itself.
    ///
    /// # Errors
    /// Returns [`InvalidPointer`] if the body is not an array of one of the two classes and an object with a bucket and
    /// a key.
    ///
    /// ```
    /// use cloakroom_sqs_extended_client::Pointer;
    ///
    /// let python = r#"["com.amazon.sqs.javamessaging.MessageS3Pointer", {"s3BucketName": "bucket", "s3Key": "key"}]"#;
    /// assert_eq!(Pointer::parse(python), Ok(Pointer::new("bucket", "key")));
    /// assert!(Pointer::parse("hello").is_err());
    /// ```
    pub fn parse(body: &str) -> Result<Self, InvalidPointer> {
        let no = |why: &str| InvalidPointer(why.to_owned());
        let value: Value = serde_json::from_str(body)
            .map_err(|error| InvalidPointer(format!("it is no JSON: {error}")))?;
        let Some([class, members]) = value.as_array().map(Vec::as_slice) else {
            return Err(no("it is no array of two"));
        };
        let Some(_) = class.as_str().and_then(PointerClass::from_name) else {
            return Err(no("it is of no known class"));
        };
        let member = |name: &str| {
            members
                .get(name)
                .and_then(Value::as_str)
                .filter(|text| !text.is_empty())
        };
        match (member("s3BucketName"), member("s3Key")) {
            (Some(bucket), Some(key)) => Ok(Self::new(bucket, key)),
            _ => Err(no("it lacks s3BucketName or s3Key")),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_librarys_pointer_is_read() {
        for class in [
            "software.amazon.payloadoffloading.PayloadS3Pointer",
            "com.amazon.sqs.javamessaging.MessageS3Pointer",
        ] {
            for body in [
                format!(r#"["{class}",{{"s3BucketName":"b","s3Key":"k"}}]"#),
                format!(r#"["{class}", {{"s3BucketName": "b", "s3Key": "k"}}]"#),
                format!(
                    "[\n\"{class}\", {{\"s3Key\": \"k\", \"later\": 1, \"s3BucketName\": \"b\"}} ]"
                ),
            ] {
                assert_eq!(Pointer::parse(&body), Ok(Pointer::new("b", "k")), "{body}");
            }
        }
    }

    #[test]
    fn what_is_no_pointer_is_said_to_be_none() {
        let good = Pointer::new("b", "k").to_body(PointerClass::default());
        for body in [
            "",
            "hello",
            "{}",
            "[]",
            "[1,2]",
            &good.replace("PayloadS3Pointer", "PayloadS3Pointers"),
            &good.replace("s3Key", "s3key"),
            &good.replace("\"k\"", "7"),
            &good.replace("\"k\"", "\"\""),
            &good.replace("}]", "},1]"),
            &good[..good.len() - 1],
        ] {
            assert!(Pointer::parse(body).is_err(), "{body}");
        }
    }

    proptest! {
        #[test]
        fn a_pointer_is_read_as_it_was_written(bucket in ".+", key in ".+", legacy: bool) {
            let class = if legacy { PointerClass::MessageS3Pointer } else { PointerClass::PayloadS3Pointer };
            let pointer = Pointer::new(bucket, key);
            prop_assert_eq!(Pointer::parse(&pointer.to_body(class)), Ok(pointer));
        }

        #[test]
        fn no_body_breaks_the_reader(body in ".*") {
            prop_assert!(Pointer::parse(&body).is_err());
        }
    }
}
