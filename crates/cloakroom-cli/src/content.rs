//! Media types: guesses for payloads, and the check for results on a terminal.

/// Guesses the media type of a file by its name, else by its first bytes.
pub(crate) fn guess(name: Option<&str>, beginning: &[u8]) -> &'static str {
    let extension = name
        .and_then(|name| std::path::Path::new(name).extension()?.to_str())
        .unwrap_or_default();
    match extension.to_ascii_lowercase().as_str() {
        "json" => "application/json",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "webp" => "image/webp",
        _ => match beginning {
            [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => "image/png",
            [0xff, 0xd8, 0xff, ..] => "image/jpeg",
            [
                b'R',
                b'I',
                b'F',
                b'F',
                _,
                _,
                _,
                _,
                b'W',
                b'E',
                b'B',
                b'P',
                ..,
            ] => "image/webp",
            _ if matches!(beginning.trim_ascii_start().first(), Some(b'{' | b'[')) => {
                "application/json"
            }
            _ => "application/octet-stream",
        },
    }
}

/// Returns true if a terminal can show this media type.
pub(crate) fn is_text(content_type: &str) -> bool {
    let media = content_type
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    media.starts_with("text/")
        || matches!(media.as_str(), "application/json" | "application/xml")
        || media.ends_with("+json")
        || media.ends_with("+xml")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_says_more_than_bytes_and_bytes_more_than_nothing() {
        assert_eq!(guess(Some("a.JPG"), b"{"), "image/jpeg");
        assert_eq!(guess(Some("a.bin"), b"\x89PNG\r\n\x1a\n\0"), "image/png");
        assert_eq!(guess(None, b"RIFF\0\0\0\0WEBPVP8"), "image/webp");
        assert_eq!(guess(None, b"\n {\"a\":1}"), "application/json");
        assert_eq!(guess(Some("json"), b""), "application/octet-stream");
    }

    #[test]
    fn only_text_is_for_a_terminal() {
        for text in [
            "text/plain; charset=utf-8",
            "application/json",
            "application/problem+json",
            "image/svg+xml",
        ] {
            assert!(is_text(text), "{text}");
        }
        for binary in ["image/png", "application/octet-stream", ""] {
            assert!(!is_text(binary), "{binary}");
        }
    }
}
