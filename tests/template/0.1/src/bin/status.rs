//! Function that reports the status of jobs: `/jobs`.

fn main() -> cloakroom::lambda::Result {
    cloakroom::lambda::status()
}
