//! Receipt handles that contain the location of a payload, so that it can be deleted with its message. Only the client
//! uses them; they are never sent to SQS.
//!
//! `-..s3BucketName..-BUCKET-..s3BucketName..--..s3Key..-KEY-..s3Key..-HANDLE`

use crate::Pointer;

const BUCKET: &str = "-..s3BucketName..-";
const KEY: &str = "-..s3Key..-";

/// Returns a handle that contains the pointer.
///
/// ```
/// use cloakroom_sqs_extended_client::{Pointer, embed, split};
///
/// let pointer = Pointer::new("bucket", "key");
/// let handle = embed(&pointer, "AQEB");
/// assert_eq!(handle, "-..s3BucketName..-bucket-..s3BucketName..--..s3Key..-key-..s3Key..-AQEB");
/// assert_eq!(split(&handle), Some((pointer, "AQEB")));
/// assert_eq!(split("AQEB"), None);
/// ```
pub fn embed(pointer: &Pointer, handle: &str) -> String {
    let Pointer { bucket, key } = pointer;
    format!("{BUCKET}{bucket}{BUCKET}{KEY}{key}{KEY}{handle}")
}

/// Returns the pointer in a handle, and SQS's own handle. `None` if the handle contains no pointer.
///
/// Unlike the other libraries, it also accepts keys that contain a marker, and handles that contain a hyphen. (The
/// Python library uses the text after the last hyphen.) This is unambiguous: names of buckets don't contain two
/// consecutive dots, and handles of SQS don't contain a marker.
pub fn split(handle: &str) -> Option<(Pointer, &str)> {
    let (bucket, rest) = handle.strip_prefix(BUCKET)?.split_once(BUCKET)?;
    let (key, handle) = rest.strip_prefix(KEY)?.rsplit_once(KEY)?;
    Some((Pointer::new(bucket, key), handle))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_handle_that_remembers_nothing_is_left_alone() {
        let others = [
            "",
            "AQEB",
            BUCKET,
            KEY,
            "-..s3BucketName..-b-..s3BucketName..-AQEB",
            "x-..s3Key..-k-..s3Key..-x",
        ];
        for handle in others {
            assert_eq!(split(handle), None, "{handle}");
        }
    }

    proptest! {
        #[test]
        fn a_handle_gives_back_what_it_remembers(
            bucket in "[a-z0-9][a-z0-9.-]{1,60}[a-z0-9]",
            key in prop_oneof![".{1,80}", Just(format!("a{KEY}b{KEY}")), Just(BUCKET.to_owned())],
            handle in "[A-Za-z0-9+/=-]{1,80}",
        ) {
            let pointer = Pointer::new(bucket, key);
            let embedded = embed(&pointer, &handle);
            prop_assert_eq!(split(&embedded), Some((pointer, handle.as_str())));
        }

        #[test]
        fn no_handle_breaks_the_reader(handle in ".*") {
            let _ = split(&handle);
        }
    }
}
