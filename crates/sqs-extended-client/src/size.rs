//! The size of a message as SQS counts it, and the limits it is held against. All in bytes.

/// The most that SQS takes, of a message and of a batch in total: 1 MiB. A queue may be set to less.
pub const SQS_LIMIT: usize = 1_048_576;

/// From which size on the libraries for Java and Python put a payload into S3: more than 256 KiB, what every queue takes.
pub const THRESHOLD: usize = 262_144;

/// An attribute of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attribute<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its type, as in `String` or `Number.int`.
    pub data_type: &'a str,
    /// Its value: text in UTF-8, or bytes.
    pub value: &'a [u8],
}

impl Attribute<'_> {
    /// What it weighs: its name, its type and its value.
    pub const fn size(&self) -> usize {
        self.name.len() + self.data_type.len() + self.value.len()
    }
}

/// What a message weighs: its body in UTF-8, and its attributes. System attributes have no weight.
///
/// ```
/// use sqs_extended_client::{Attribute, message_size};
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
