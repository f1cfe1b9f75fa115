//! Reasons why an image is rejected, and the errors that a client gets for them.
//!
//! A damaged image is unreadable: send a complete one. A complete image of a rare kind is unsupported: use another encoder. All
//! faults are terminal, because another attempt reads the same bytes.

use std::fmt::Display;

use cloakroom::HandlerError;

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fault {
    Cancelled,
    /// The reason is logged.
    TooLarge(String),
    /// The reason is logged.
    Unreadable(String),
    /// The kind is shown to the client: "JPEG with arithmetic coding".
    Unsupported(&'static str),
}

/// Returns the fault of bytes that are incomplete, damaged or not an image.
pub(super) fn unreadable(why: impl Display) -> Fault {
    Fault::Unreadable(why.to_string())
}

impl From<Fault> for HandlerError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Cancelled => Self::cancelled(),
            Fault::TooLarge(why) => Self::terminal(
                "the image is too large: send one of at most 20000 pixels a side and 100 megapixels; \
                 WebP of at most 64 megapixels, or 25 if it is lossless or has transparency",
            )
            .code("image-too-large")
            .status(422)
            .with_cause(why),
            Fault::Unreadable(why) => Self::terminal("the image can't be read: send a whole PNG, JPEG or WebP image")
                .code("image-unreadable")
                .status(422)
                .with_cause(why),
            Fault::Unsupported(kind) => Self::terminal(format!(
                "this kind of image is not supported ({kind}): save it as a standard PNG, JPEG or WebP image and send that"
            ))
            .code("image-unsupported")
            .status(422),
        }
    }
}
