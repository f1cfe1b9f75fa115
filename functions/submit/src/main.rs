//! The function behind `POST /commands/{type}` and `/uploads`, which accepts commands.

fn main() -> Result<(), cloakroom_lambda::Error> {
    cloakroom_lambda::submit(commands::registry())
}
