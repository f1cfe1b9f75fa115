//! `cloakroom doctor` on a deployment that is broken in one thing after the other: it finds that thing and no other, and
//! the command that it prints mends it.
//!
//! Runs where `CLOAKROOM_ON` says what the deployment is on: `localstack`, `ministack` or `aws`. Which one it is, and how it
//! is reached, the AWS variables of the environment and `CLOAKROOM_STACK` say. The deployment is this test's alone while
//! it runs. `CLOAKROOM_AWS_CLI` is the AWS CLI, if `aws` is not.

mod ailments;
mod patient;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

use patient::Patient;

const NAME: &str = "each_thing_that_is_broken_is_found_and_mended";

#[expect(clippy::print_stdout, reason = "a test that is left out says why")]
fn main() -> ExitCode {
    let on = std::env::var("CLOAKROOM_ON").ok().filter(|on| !on.is_empty() && on != "dev");
    if on.is_none() {
        println!("left out: {NAME}: nothing is deployed (CLOAKROOM_ON is not localstack, ministack or aws)");
    }
    let left_out = on.is_none();
    let trial = Trial::test(NAME, move || {
        examine(&Patient::of(&on.unwrap_or_default()));
        Ok(())
    });
    libtest_mimic::run(&Arguments::from_args(), vec![trial.with_ignored_flag(left_out)]).exit_code()
}

#[expect(clippy::print_stderr, reason = "which of the many it was, should one of them fail")]
fn examine(patient: &Patient) {
    patient.mend_what_the_emulator_left_out();
    let healthy = patient.complaints();
    assert!(healthy.iter().all(|(_, it)| it.state == "warn"), "as it was deployed: {healthy:?}");
    patient::no_stack_of_another_name();
    for ailment in ailments::all(patient) {
        eprintln!("{}", ailment.name);
        (ailment.inflict)(patient);
        let found = patient.complaints_until(|found| {
            let new = found.iter().filter(|(check, _)| !healthy.contains_key(*check));
            new.map(|(check, it)| (check.as_str(), it.state.as_str())).collect::<Vec<_>>() == ailment.found
        });
        let new: Vec<_> = found.iter().filter(|(check, _)| !healthy.contains_key(*check)).collect();
        let named: Vec<_> = new.iter().map(|(check, it)| (check.as_str(), it.state.as_str())).collect();
        assert_eq!(named, ailment.found, "{}: {new:#?}", ailment.name);
        patient.mend_all_but(&healthy);
        (ailment.afterwards)(patient);
        let left = patient.complaints_until(|found| found.keys().eq(healthy.keys()));
        assert!(left.keys().eq(healthy.keys()), "{}, after it was mended: {left:#?}", ailment.name);
    }
}
