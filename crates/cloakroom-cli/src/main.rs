//! The installed program: creates projects, and calls services.

fn main() -> std::process::ExitCode {
    cloakroom_cli::installed()
}
