//! Function that accepts commands: `POST /commands/{type}` and `/uploads`.

fn main() -> cloakroom::lambda::Result {
    cloakroom::lambda::submit(old::service())
}
