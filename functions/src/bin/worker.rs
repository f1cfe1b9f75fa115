//! Function behind the queue of commands: runs their handlers.

fn main() -> cloakroom::lambda::Result {
    cloakroom::lambda::worker(demo::service())
}
