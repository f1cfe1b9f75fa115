//! Panics, in the log: with their place, and the job or request that they ended.

/// Replaces what Rust prints of a panic by a line in the log, in whichever span the panic happens. For a program's start.
pub fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(tracing::field::display);
        tracing::error!(
            place,
            "panicked: {}",
            panic.payload_as_str().unwrap_or("with nothing to say")
        );
    }));
}
