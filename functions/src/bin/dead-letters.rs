//! Function behind the dead-letter queue: ends the jobs of messages that were received too often.

fn main() -> cloakroom::lambda::Result {
    cloakroom::lambda::dead_letters()
}
