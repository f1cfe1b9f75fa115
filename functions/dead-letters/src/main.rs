//! The function behind the queue of dead letters.

fn main() -> Result<(), cloakroom_lambda::Error> {
    cloakroom_lambda::dead_letters()
}
