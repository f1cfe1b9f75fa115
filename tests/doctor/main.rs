//! `cloakroom doctor` on a deployment with one fault after another: it reports that fault and no other, and the command
//! that it prints fixes it.
//!
//! Runs if `CLOAKROOM_ON` names the kind of deployment: `localstack`, `ministack` or `aws`. The AWS variables of the
//! environment and `CLOAKROOM_STACK` identify the deployment. It must be exclusive to this test while the test runs.
//! `CLOAKROOM_AWS_CLI` is the path of the AWS CLI, if it is not `aws`.

mod ailments;
mod patient;

use std::process::ExitCode;

use cloakroom_tests::{Target, suite};

use patient::Patient;

fn main() -> ExitCode {
    suite::main(
        Target::from_services_env(),
        |_| suite![each_thing_that_is_broken_is_found_and_fixed => [Deployment]],
    )
}

#[expect(
    clippy::print_stderr,
    reason = "which of the many it was, should one of them fail"
)]
async fn each_thing_that_is_broken_is_found_and_fixed() {
    let patient = &Patient::new(Target::from_services_env().expect("it was one"));
    patient.fix_what_the_emulator_left_out();
    let healthy = patient.complaints();
    assert!(
        healthy.iter().all(|(_, it)| it.state == "warn"),
        "as it was deployed: {healthy:?}"
    );
    patient::no_stack_of_another_name();
    for ailment in ailments::all(patient) {
        eprintln!("{}", ailment.name);
        (ailment.inflict)(patient);
        let found = patient.complaints_until(|found| {
            let new = found
                .iter()
                .filter(|(check, _)| !healthy.contains_key(*check));
            new.map(|(check, it)| (check.as_str(), it.state.as_str()))
                .collect::<Vec<_>>()
                == ailment.found
        });
        let new: Vec<_> = found
            .iter()
            .filter(|(check, _)| !healthy.contains_key(*check))
            .collect();
        let named: Vec<_> = new
            .iter()
            .map(|(check, it)| (check.as_str(), it.state.as_str()))
            .collect();
        assert_eq!(named, ailment.found, "{}: {new:#?}", ailment.name);
        patient.fix_all_but(&healthy);
        (ailment.afterwards)(patient);
        let left = patient.complaints_until(|found| found.keys().eq(healthy.keys()));
        assert!(
            left.keys().eq(healthy.keys()),
            "{}, after it was fixed: {left:#?}",
            ailment.name
        );
    }
}
