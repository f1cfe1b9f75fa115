//! Function behind `POST /commands/{type}` and `/uploads`: accepts commands.

fn main() -> cloakroom::lambda::Result {
    cloakroom::lambda::submit(demo::service())
}
