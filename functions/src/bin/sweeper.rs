//! Function behind the table's stream: ends abandoned jobs.

fn main() -> cloakroom::lambda::Result {
    cloakroom::lambda::sweeper()
}
