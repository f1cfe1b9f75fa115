//! Functions behind the table's stream and the queue of deliveries: notify the listeners of jobs.

fn main() -> cloakroom::lambda::Result {
    cloakroom::lambda::notify()
}
