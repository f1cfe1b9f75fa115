//! Whole flows through HTTP, against any deployment.

mod cancel;
mod find;
mod handlers;
mod listeners;
mod once;
mod parts;
mod photos;
mod poll;
mod refuse;

use std::process::ExitCode;

use cloakroom_tests::{Target, suite};

fn main() -> ExitCode {
    suite::main(Target::from_deployment_env(), |_| {
        let suites = [
            cancel::tests(),
            find::tests(),
            handlers::tests(),
            listeners::tests(),
            once::tests(),
            parts::tests(),
            photos::tests(),
            poll::tests(),
            refuse::tests(),
        ];
        suites.into_iter().flatten().collect()
    })
}
