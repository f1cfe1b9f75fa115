//! The function behind `/jobs`, which reports status, returns results and cancels jobs.

fn main() -> Result<(), cloakroom_lambda::Error> {
    cloakroom_lambda::status()
}
