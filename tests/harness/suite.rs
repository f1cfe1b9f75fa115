//! A test program that skips tests that its target does not support, and prints their names with the reason.
//!
//! It accepts the arguments of any test program (`cargo test --test flow -- name`). `-- --ignored` runs the skipped
//! tests, to check whether they must still be skipped.

use std::process::ExitCode;
use std::time::Duration;

use libtest_mimic::{Arguments, Trial};
use tokio::time::timeout;

use crate::target::{Needs, Target};

/// A test of a suite.
pub struct Test {
    name: String,
    needs: &'static [Needs],
    run: Box<dyn FnOnce(Duration) + Send>,
}

/// Returns the maximum duration of a test. It ends tests that wait for something that never happens.
fn longest(target: Target) -> Duration {
    let minutes = match target {
        Target::Dev => 10,
        // Visibility timeouts and schedules pass in real time.
        Target::LocalStack | Target::LocalStackInDocker | Target::MiniStack | Target::Aws => 120,
    };
    Duration::from_secs(minutes * 60)
}

/// Lists the tests of a module by the names of their functions, with their needs: `suite![a_plain_one,
/// one_that_follows_links => [SignedLinks]]`. The compiler reports a missing test as an unused function.
#[macro_export]
macro_rules! suite {
    ($($test:ident $(=> [$($need:ident),+])?),* $(,)?) => {
        vec![$($crate::Test::new(
            concat!(module_path!(), "::", stringify!($test)),
            &[$($($crate::Needs::$need),+)?],
            $test,
        )),*]
    };
}

impl Test {
    /// Creates a test with this path, which starts with the name of the program.
    pub fn new<F>(
        path: &str,
        needs: &'static [Needs],
        test: impl FnOnce() -> F + Send + 'static,
    ) -> Self
    where
        F: Future<Output = ()>,
    {
        let name = path
            .split_once("::")
            .map_or(path, |(_program, name)| name)
            .to_owned();
        // Each test has its own runtime, so that no task of a test affects the next one.
        let run = |longest| {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(2)
                .enable_all()
                .build();
            let bounded = async { timeout(longest, test()).await };
            runtime
                .expect("a runtime")
                .block_on(bounded)
                .expect("the test ends in time");
        };
        Self {
            name,
            needs,
            run: Box::new(run),
        }
    }

    fn trial(self, target: Target) -> (Trial, Option<&'static str>) {
        let Self { name, needs, run } = self;
        let lack = target.lacks(needs);
        let trial = Trial::test(name, move || {
            run(longest(target));
            Ok(())
        });
        (trial.with_ignored_flag(lack.is_some()), lack)
    }
}

/// Runs the tests that the arguments select, and prints the skipped ones. Prints an error if the target is invalid.
#[expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "it is what a test program says to whoever runs it"
)]
pub fn main(target: Result<Target, String>, tests: impl FnOnce(Target) -> Vec<Test>) -> ExitCode {
    let arguments = Arguments::from_args();
    let target = match target {
        Ok(target) => target,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    };
    let mut left_out = vec![];
    let mut trials = vec![];
    for (trial, lack) in tests(target).into_iter().map(|test| test.trial(target)) {
        if let Some(reason) = lack
            && arguments.is_ignored(&trial)
            && !arguments.is_filtered_out(&trial)
        {
            left_out.push(format!("left out on {target}: {}: {reason}", trial.name()));
        }
        trials.push(trial);
    }
    let conclusion = libtest_mimic::run(&arguments, trials);
    if !arguments.list {
        for line in left_out {
            println!("{line}");
        }
    }
    conclusion.exit_code()
}
