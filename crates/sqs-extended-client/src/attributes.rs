//! The message attribute that tells a pointer from a payload: of type `Number`, its value the payload's bytes in UTF-8.

/// By which name it goes. Readers know both; of a message that has both, they go by [`SizeAttribute::ExtendedPayloadSize`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum SizeAttribute {
    /// `ExtendedPayloadSize`: Python's default, and Java's with `withLegacyReservedAttributeNameDisabled`.
    #[default]
    ExtendedPayloadSize,
    /// `SQSLargePayloadSize`: Java's default, also of its version 2.
    SqsLargePayloadSize,
}

/// The type of the attribute.
pub const DATA_TYPE: &str = "Number";

/// Most attributes of the sender when the payload goes to S3: SQS accepts ten, and one marks the pointer.
pub const MAX_OWN_ATTRIBUTES: usize = 9;

impl SizeAttribute {
    /// Both, the one that goes first in front.
    pub const ALL: [Self; 2] = [Self::ExtendedPayloadSize, Self::SqsLargePayloadSize];

    /// As it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ExtendedPayloadSize => "ExtendedPayloadSize",
            Self::SqsLargePayloadSize => "SQSLargePayloadSize",
        }
    }

    /// Finds the attribute among these names. `None` if the body is the payload itself.
    ///
    /// ```
    /// use sqs_extended_client::SizeAttribute;
    ///
    /// assert_eq!(SizeAttribute::from_names(["colour", "SQSLargePayloadSize"]), Some(SizeAttribute::SqsLargePayloadSize));
    /// assert_eq!(SizeAttribute::from_names(["colour"]), None);
    /// ```
    pub fn from_names<'a>(names: impl IntoIterator<Item = &'a str>) -> Option<Self> {
        let found: Vec<_> = names.into_iter().filter_map(Self::from_name).collect();
        Self::ALL.into_iter().find(|one| found.contains(one))
    }

    fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.as_str() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn either_attribute_marks_a_pointer_and_the_newer_one_goes_first() {
        assert_eq!(
            SizeAttribute::from_names(["ExtendedPayloadSize"]),
            Some(SizeAttribute::ExtendedPayloadSize)
        );
        let both = ["SQSLargePayloadSize", "ExtendedPayloadSize"];
        assert_eq!(
            SizeAttribute::from_names(both),
            Some(SizeAttribute::ExtendedPayloadSize)
        );
        assert_eq!(
            SizeAttribute::from_names(["extendedpayloadsize", "S3Key"]),
            None,
            "names have their case"
        );
    }
}
