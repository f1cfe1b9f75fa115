//! The function behind the table's stream, which ends abandoned jobs.

fn main() -> Result<(), cloakroom_lambda::Error> {
    cloakroom_lambda::sweeper()
}
