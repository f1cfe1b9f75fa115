//! The program of the demo service.

fn main() -> std::process::ExitCode {
    cloakroom_cli::main(commands::registry())
}
