//! What the tests run against, and what is not to be had there.

use std::env;
use std::fmt;

/// What the tests run against: an answer differs between them only where the table of lacks says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// The dev runner, over the embedded services.
    Dev,
    /// The functions on LocalStack's Python package, which `localstack/up` starts with a few things put right.
    LocalStack,
    /// The functions on LocalStack's image, as it is.
    LocalStackInDocker,
    /// The functions on `MiniStack`.
    MiniStack,
    /// The functions on AWS.
    Aws,
}

/// What a test needs of its target that not all of them have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// The gateway takes a body of any length, or answers with a problem document one that it does not take.
    AnyBody,
    /// The stack of infra/template.yaml, with its queues and functions.
    Deployment,
    /// The gateway answers whom it does not let in with the template's problem document.
    GatewayProblems,
    /// The gateway hands an answer's bytes on as they are, whatever their type.
    BinaryAnswers,
    /// The queue's receipt handles have no hyphen in them, as SQS's.
    PlainHandles,
    /// The store of objects serves nobody whose request is not signed.
    PrivateObjects,
    /// The store of objects checks the signature of a link, and all that it binds.
    SignedLinks,
    /// The store of objects may be asked to put the same parts together by two at once.
    JoinsAtOnce,
}

/// What is known not to be had, and why. A test that needs it is left out there, by name.
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

    /// What `CLOAKROOM_ON` names; the dev runner, where nothing is said.
    pub fn from_env() -> Result<Self, String> {
        named(
            env::var("CLOAKROOM_ON").ok().as_deref(),
            env::var("CLOAKROOM_URL").ok().as_deref(),
        )
    }

    /// As [`from_env`](Self::from_env), for tests that ask a deployment: `CLOAKROOM_URL` says where it is,
    /// and the dev runner alone is started by the tests themselves.
    pub fn from_deployment_env() -> Result<Self, String> {
        let target = Self::from_env()?;
        if target != Self::Dev && env::var_os("CLOAKROOM_URL").is_none() {
            return Err(format!(
                "CLOAKROOM_ON is {target}: set CLOAKROOM_URL to the base URL of what is deployed there"
            ));
        }
        Ok(target)
    }

    /// As [`from_env`](Self::from_env), for tests that ask the services themselves: `AWS_ENDPOINT_URL` says
    /// where an emulator has them, which AWS must not be taken for.
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

    /// Why a test that needs this can't be run here, if it can't.
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
