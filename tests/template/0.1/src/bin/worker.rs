//! Function that runs the handlers of queued commands.

fn main() -> cloakroom::lambda::Result {
    cloakroom::lambda::worker(old::service())
}
