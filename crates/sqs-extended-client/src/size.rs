//! Size of a message as SQS computes it, and its limits. All values are in bytes.

/// Maximum size of a message, and of a batch in total: 1 MiB. A queue may have a lower limit.
pub const SQS_LIMIT: usize = 1_048_576;

/// Threshold of the libraries for Java and Python: larger payloads go to S3. Every queue accepts 256 KiB.
pub const THRESHOLD: usize = 262_144;

/// An attribute of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attribute<'a> {
    /// Name of the attribute.
    pub name: &'a str,
    /// Type of the attribute, for example `String` or `Number.int`.
    pub data_type: &'a str,
    /// Value of the attribute: text in UTF-8, or bytes.
    pub value: &'a [u8],
}

impl Attribute<'_> {
    /// Returns the size of the attribute: its name, type and value.
    pub const fn size(&self) -> usize {
        self.name.len() + self.data_type.len() + self.value.len()
    }
}

/// Returns the size of a message: its body in UTF-8, and its attributes. System attributes don't count.
///
/// ```
/// use cloakroom_sqs_extended_client::{Attribute, message_size};
///
/// let colour = Attribute { name: "colour", data_type: "String", value: "grün".as_bytes() };
/// assert_eq!(message_size("né", [colour]), 3 + 6 + 6 + 5);
/// ```
pub fn message_size<'a>(body: &str, attributes: impl IntoIterator<Item = Attribute<'a>>) -> usize {
    body.len()
        + attributes
            .into_iter()
            .map(|attribute| attribute.size())
            .sum::<usize>()
}
