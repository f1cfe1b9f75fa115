//! Function behind `/jobs`: reports the status of jobs, returns their results and cancels them.

fn main() -> cloakroom::lambda::Result {
    cloakroom::lambda::status()
}
