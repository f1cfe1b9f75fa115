//! Targets of the tests, and the features that they lack.

use std::env;
use std::fmt;

/// Target of the tests. Responses only differ between targets as the table of lacks describes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// Dev runner with the embedded services.
    Dev,
    /// Functions on LocalStack's Python package, which `localstack/up` starts with some fixes.
    LocalStack,
    /// Functions on the unmodified image of LocalStack.
    LocalStackInDocker,
    /// Functions on `MiniStack`.
    MiniStack,
    /// Functions on AWS.
    Aws,
}

/// Feature that a test needs and that not all targets have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// The gateway accepts a body of any length, or rejects it with a problem document.
    AnyBody,
    /// The stack of infra/template.yaml, with its queues and functions.
    Deployment,
    /// The gateway rejects unauthorized requests with the template's problem document.
    GatewayProblems,
    /// The gateway does not change the bytes of a response, whatever their type.
    BinaryAnswers,
    /// Receipt handles of the queue don't contain hyphens, as in SQS.
    PlainHandles,
    /// The store of objects rejects unsigned requests.
    PrivateObjects,
    /// The store of objects verifies the signature of a link, and everything that it covers.
    SignedLinks,
    /// The store of objects accepts concurrent requests to join the same parts.
    JoinsAtOnce,
}

/// Missing features, with the reason. Tests that need them are skipped.
const LACKS: &[(Target, Needs, &str)] = &[
    (Target::Dev, Needs::Deployment, "nothing is deployed there"),
    (Target::LocalStack, Needs::PrivateObjects, UNSIGNED),
    (Target::LocalStack, Needs::JoinsAtOnce, TANGLED),
    (Target::LocalStackInDocker, Needs::JoinsAtOnce, TANGLED),
    (Target::LocalStack, Needs::GatewayProblems, OWN_WORDS),
    (
        Target::LocalStackInDocker,
        Needs::GatewayProblems,
        OWN_WORDS,
    ),
    (Target::LocalStackInDocker, Needs::PrivateObjects, UNSIGNED),
    (
        Target::LocalStackInDocker,
        Needs::BinaryAnswers,
        "its gateway matches no type by */*, and answers bytes in base64",
    ),
    (Target::MiniStack, Needs::PrivateObjects, UNSIGNED),
    (Target::MiniStack, Needs::GatewayProblems, OWN_WORDS),
    (
        Target::MiniStack,
        Needs::PlainHandles,
        "its receipt handles have hyphens, and Amazon's library for Python deletes by what is after the last one",
    ),
];

const OWN_WORDS: &str =
    "its gateway has words of its own: it takes no gateway responses from an API's document";
const TANGLED: &str =
    "its S3 writes both over each other: the object does not keep to its checksum then";
const UNSIGNED: &str = "its S3 serves an object to a request without a signature";

impl Target {
    const ALL: [(&str, Self); 5] = [
        ("dev", Self::Dev),
        ("localstack", Self::LocalStack),
        ("localstack-docker", Self::LocalStackInDocker),
        ("ministack", Self::MiniStack),
        ("aws", Self::Aws),
    ];

    /// Returns the target in `CLOAKROOM_ON`. The default is the dev runner.
    pub fn from_env() -> Result<Self, String> {
        named(
            env::var("CLOAKROOM_ON").ok().as_deref(),
            env::var("CLOAKROOM_URL").ok().as_deref(),
        )
    }

    /// Returns the target like [`from_env`](Self::from_env), for tests of a deployment. They require `CLOAKROOM_URL`,
    /// except for the dev runner, which the tests start.
    pub fn from_deployment_env() -> Result<Self, String> {
        let target = Self::from_env()?;
        if target != Self::Dev && env::var_os("CLOAKROOM_URL").is_none() {
            return Err(format!(
                "CLOAKROOM_ON is {target}: set CLOAKROOM_URL to the base URL of what is deployed there"
            ));
        }
        Ok(target)
    }

    /// Returns the target like [`from_env`](Self::from_env), for tests that call the services directly. Emulators
    /// require `AWS_ENDPOINT_URL`, so that the tests don't use AWS by mistake.
    pub fn from_services_env() -> Result<Self, String> {
        let target = Self::from_env()?;
        let emulated = matches!(
            target,
            Self::LocalStack | Self::LocalStackInDocker | Self::MiniStack
        );
        if emulated && env::var_os("AWS_ENDPOINT_URL").is_none() {
            return Err(format!(
                "CLOAKROOM_ON is {target}: set AWS_ENDPOINT_URL to its URL"
            ));
        }
        Ok(target)
    }

    /// Returns the reason why a test with these needs can't run on this target, if there is one.
    pub fn lacks(self, needs: &[Needs]) -> Option<&'static str> {
        let lack = LACKS
            .iter()
            .find(|(target, lacked, _)| *target == self && needs.contains(lacked));
        lack.map(|(_, _, reason)| *reason)
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Self::ALL
            .iter()
            .find(|(_, target)| target == self)
            .map_or("", |(name, _)| name);
        f.write_str(name)
    }
}

fn named(on: Option<&str>, url: Option<&str>) -> Result<Target, String> {
    let names = Target::ALL.map(|(name, _)| name).join(", ");
    match (on, url) {
        (None, None) => Ok(Target::Dev),
        (None, Some(_)) => Err(format!(
            "CLOAKROOM_URL is set: set CLOAKROOM_ON to what runs there, one of {names}"
        )),
        (Some(on), _) => {
            let known = Target::ALL
                .iter()
                .find(|(name, _)| *name == on)
                .map(|(_, target)| *target);
            known.ok_or_else(|| format!("set CLOAKROOM_ON to one of {names}: it is {on:?}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_named_or_the_dev_runner() {
        assert_eq!(named(None, None), Ok(Target::Dev));
        for (name, target) in Target::ALL {
            assert_eq!(named(Some(name), Some("http://localhost:4566")), Ok(target));
            assert_eq!(target.to_string(), name);
        }
    }

    #[test]
    fn a_target_that_is_not_named_well_is_told_how() {
        let unnamed = named(None, Some("http://localhost:4566")).expect_err("unnamed");
        assert_eq!(
            unnamed,
            "CLOAKROOM_URL is set: set CLOAKROOM_ON to what runs there, one of dev, localstack, localstack-docker, ministack, aws"
        );
        let unknown = named(Some("moto"), None).expect_err("unknown");
        assert_eq!(
            unknown,
            "set CLOAKROOM_ON to one of dev, localstack, localstack-docker, ministack, aws: it is \"moto\""
        );
    }
}
