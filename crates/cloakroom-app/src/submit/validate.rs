//! Validation of a payload: media type, length, and content.

use bytes::Bytes;
use cloakroom_core::Digest;
use cloakroom_core::problem::FieldError;

use super::payload::{Source, ValidPayload};
use super::submission::{MEDIA_TYPE_LIMIT, SubmitError};
use crate::command::{Command, Takes};
use crate::payload::PayloadError;

/// Checks that the command accepts an upload's declared media type and length. Returns the media type to record.
pub(super) fn check_description(
    command: &Command,
    content_type: &str,
    length: u64,
) -> Result<String, SubmitError> {
    let content_type = accepted_media_type(command, content_type)?;
    let limit = command.limits().upload;
    if length > limit {
        Err(SubmitError::TooLarge { limit })
    } else {
        Ok(content_type)
    }
}

/// Checks a payload in memory.
pub(super) fn check_body(
    command: &Command,
    query: &str,
    content_type: Option<&str>,
    bytes: &Bytes,
    limit: u64,
) -> Result<ValidPayload, SubmitError> {
    // If a client declares no type and the command accepts only one, that type is assumed.
    let content_type = match (content_type, command.media_types()) {
        (Some(sent), _) => sent,
        (None, [only]) => only,
        (None, several) => return Err(SubmitError::UnsupportedMediaType(several)),
    };
    let content_type = accepted_media_type(command, content_type)?;
    let length = bytes.len() as u64;
    if length > limit {
        return Err(SubmitError::TooLarge { limit });
    }
    if let (Takes::Binary(_), true) = (command.takes(), bytes.is_empty()) {
        let error = FieldError::new(
            "",
            "the body is empty; send the bytes as the body, or the id of a finished upload in Upload-Id",
        );
        return Err(SubmitError::Payload(PayloadError::Invalid(vec![error])));
    }
    command.check(query, bytes).map_err(SubmitError::Payload)?;
    Ok(ValidPayload {
        content_type,
        sha256: Digest::from_content(bytes),
        length,
        source: Source::Bytes(bytes.clone()),
    })
}

/// Aliases of media types that some programs and browsers send.
const ALIASES: [(&str, &str); 2] = [("image/jpg", "image/jpeg"), ("image/pjpeg", "image/jpeg")];

/// Returns the media type to record for the one that a client sent.
///
/// Text and JSON have parameters: a `charset` other than UTF-8 makes a different type. For other types, such as images,
/// parameters have no meaning (`file -bi` prints `image/jpeg; charset=binary`). Those types are recorded as the command
/// spells them.
fn accepted_media_type(command: &Command, sent: &str) -> Result<String, SubmitError> {
    // The type becomes part of messages and object metadata, which don't allow all characters.
    let held =
        sent.len() <= MEDIA_TYPE_LIMIT && sent.bytes().all(|b| matches!(b, b'\t' | b' '..=b'~'));
    let mut parts = sent.split(';').map(str::trim);
    let essence = parts.next().unwrap_or_default();
    let alias = ALIASES
        .iter()
        .find(|(alias, _)| alias.eq_ignore_ascii_case(essence))
        .map(|&(_, name)| name);
    let known = command.media_types().iter().find(|known| {
        known.eq_ignore_ascii_case(essence)
            || alias.is_some_and(|name| known.eq_ignore_ascii_case(name))
    });
    let utf_8 = |parameter: &str| match parameter.split_once('=') {
        Some((name, value)) if name.trim().eq_ignore_ascii_case("charset") => {
            value.trim().trim_matches('"').eq_ignore_ascii_case("utf-8")
        }
        _ => true,
    };
    match known.filter(|_| held) {
        Some(known) if is_textual(known) && parts.all(utf_8) => Ok(sent.to_owned()),
        Some(known) if !is_textual(known) => Ok((*known).to_owned()),
        _ => Err(SubmitError::UnsupportedMediaType(command.media_types())),
    }
}

fn is_textual(media_type: &str) -> bool {
    media_type.starts_with("text/")
        || media_type == "application/json"
        || media_type.ends_with("+json")
}
