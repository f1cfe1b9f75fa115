//! Conformance suite for the store of dead letters.

use uuid::Uuid;

use crate::ports::DeadLetterStore;

/// Verifies a store of dead letters.
///
/// # Panics
/// If the implementation does not conform.
pub async fn dead_letters(dead_letters: &dyn DeadLetterStore) {
    let prefix = format!("dead-letters/conformance-{}/", Uuid::new_v4());
    let keys: Vec<_> = (0..7).map(|n| format!("{prefix}{n}/message")).collect();
    assert_eq!(dead_letters.list(&prefix, None).await, Ok(vec![]));
    for key in &keys {
        dead_letters.store(key, "first").await.expect("kept");
        dead_letters
            .store(key, &format!("né {key}"))
            .await
            .expect("kept over another");
    }
    let mut listed: Vec<String> = vec![];
    while listed.len() <= keys.len() {
        let page = dead_letters
            .list(&prefix, listed.last().map(String::as_str))
            .await
            .expect("a page");
        if page.is_empty() {
            break;
        }
        listed.extend(page);
    }
    assert_eq!(listed, keys, "in order, each once");
    for key in &keys {
        assert_eq!(dead_letters.read(key).await, Ok(Some(format!("né {key}"))));
        dead_letters.remove(key).await.expect("forgotten");
        dead_letters.remove(key).await.expect("forgotten already");
        assert_eq!(dead_letters.read(key).await, Ok(None));
    }
    assert_eq!(dead_letters.list(&prefix, None).await, Ok(vec![]));
}
