//! Function that ends the jobs of dead letters.

fn main() -> cloakroom::lambda::Result {
    cloakroom::lambda::dead_letters()
}
