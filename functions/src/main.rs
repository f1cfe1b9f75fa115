//! Program of the demo service: the dev runner, and commands for operators.

fn main() -> std::process::ExitCode {
    cloakroom::cli::main(demo::service())
}
