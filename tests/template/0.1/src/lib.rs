//! The commands of this service: one file each.

mod order;

/// Lists the commands. Every program of the service uses this list.
pub fn service() -> cloakroom::Service {
    cloakroom::service![order::command()]
}
