//! The function behind the queue of commands, which runs their handlers.

fn main() -> Result<(), cloakroom_lambda::Error> {
    cloakroom_lambda::worker(commands::registry())
}
