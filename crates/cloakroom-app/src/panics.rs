//! Logs panics with their location, and within the span of the job or request that panicked.

/// Replaces Rust's panic message by a log line in the current span. Call it when a program starts.
pub fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(tracing::field::display);
        tracing::error!(
            place,
            "panicked: {}",
            panic.payload_as_str().unwrap_or("without a message")
        );
    }));
}
