//! Message attribute that marks a pointer. It has the type `Number`; its value is the length of the payload in bytes of
//! UTF-8.

/// Name of the attribute. Readers know both names. If a message has both, [`SizeAttribute::ExtendedPayloadSize`] takes
/// precedence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum SizeAttribute {
    /// `ExtendedPayloadSize`: the default in Python, and in Java with `withLegacyReservedAttributeNameDisabled`.
    #[default]
    ExtendedPayloadSize,
    /// `SQSLargePayloadSize`: the default in Java, including its version 2.
    SqsLargePayloadSize,
}

/// Type of the attribute.
pub const DATA_TYPE: &str = "Number";

/// Maximum number of the sender's own attributes if the payload is in S3: SQS accepts ten, one of them marks the
/// pointer.
pub const MAX_OWN_ATTRIBUTES: usize = 9;

impl SizeAttribute {
    /// Both names, in the order of precedence.
    pub const ALL: [Self; 2] = [Self::ExtendedPayloadSize, Self::SqsLargePayloadSize];

    /// Returns the name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ExtendedPayloadSize => "ExtendedPayloadSize",
            Self::SqsLargePayloadSize => "SQSLargePayloadSize",
        }
    }

    /// Finds the attribute among these names. `None` means that the body is the payload.
    ///
    /// ```
    /// use cloakroom_sqs_extended_client::SizeAttribute;
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
