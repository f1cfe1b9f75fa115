//! The service on this machine (`cargo run`), and commands that talk to a deployment (`cargo run -- --help`).

fn main() -> std::process::ExitCode {
    cloakroom::cli::main(old::service())
}
