//! Function that ends abandoned jobs.

fn main() -> cloakroom::lambda::Result {
    cloakroom::lambda::sweeper()
}
