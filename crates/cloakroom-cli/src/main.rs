//! The installed program: makes projects, and talks to the services of others.

fn main() -> std::process::ExitCode {
    cloakroom_cli::installed()
}
