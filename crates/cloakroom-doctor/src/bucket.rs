//! Checks of the bucket: public access, encryption and lifecycle.

use aws_sdk_s3::Client;
use aws_sdk_s3::types::{PublicAccessBlockConfiguration, ServerSideEncryptionConfiguration};

use crate::answer::{Answer, Call, Stop};
use crate::command::Aws;
use crate::finding::{Finding, check};
use crate::lifecycle::{self, Rule};
use crate::needs::Needs;

/// Responses about the bucket.
#[derive(Debug, Clone)]
pub(crate) struct Facts {
    name: String,
    bucket: Answer<()>,
    /// Names of the public access settings that are off.
    open: Answer<Vec<&'static str>>,
    /// Encryption of new objects, if there is any.
    encryption: Answer<Option<String>>,
    rules: Answer<Vec<Rule>>,
}

const SWITCHES: [&str; 4] = [
    "BlockPublicAcls",
    "IgnorePublicAcls",
    "BlockPublicPolicy",
    "RestrictPublicBuckets",
];

const HEAD: Call = Call {
    action: "s3:ListBucket",
    absent: &["NotFound", "NoSuchBucket"],
};
const ACCESS: Call = Call {
    action: "s3:GetBucketPublicAccessBlock",
    absent: &["NoSuchPublicAccessBlockConfiguration"],
};
const ENCRYPTION: Call = Call {
    action: "s3:GetEncryptionConfiguration",
    absent: &["ServerSideEncryptionConfigurationNotFoundError"],
};
const RULES: Call = Call {
    action: "s3:GetLifecycleConfiguration",
    absent: &["NoSuchLifecycleConfiguration"],
};

pub(crate) async fn ask(client: &Client, name: &str) -> Result<Facts, Stop> {
    let bucket =
        Answer::from_result(HEAD, client.head_bucket().bucket(name).send().await)?.map(|_| ());
    let access = Answer::from_result(
        ACCESS,
        client.get_public_access_block().bucket(name).send().await,
    )?;
    let encryption = Answer::from_result(
        ENCRYPTION,
        client.get_bucket_encryption().bucket(name).send().await,
    )?;
    let rules = Answer::from_result(
        RULES,
        client
            .get_bucket_lifecycle_configuration()
            .bucket(name)
            .send()
            .await,
    )?;
    Ok(Facts {
        name: name.to_owned(),
        bucket,
        open: access.map(|it| open(it.public_access_block_configuration.as_ref())),
        encryption: encryption.map(|it| {
            it.server_side_encryption_configuration
                .as_ref()
                .and_then(encrypted)
        }),
        rules: rules.map(|it| {
            it.rules
                .unwrap_or_default()
                .iter()
                .map(Rule::read)
                .collect()
        }),
    })
}

fn open(block: Option<&PublicAccessBlockConfiguration>) -> Vec<&'static str> {
    let set = block.map_or([None; 4], |it| {
        [
            it.block_public_acls,
            it.ignore_public_acls,
            it.block_public_policy,
            it.restrict_public_buckets,
        ]
    });
    SWITCHES
        .into_iter()
        .zip(set)
        .filter(|(_, set)| *set != Some(true))
        .map(|(name, _)| name)
        .collect()
}

fn encrypted(configuration: &ServerSideEncryptionConfiguration) -> Option<String> {
    let by_default = configuration
        .rules
        .iter()
        .find_map(|it| it.apply_server_side_encryption_by_default.as_ref());
    by_default.map(|it| it.sse_algorithm.as_str().to_owned())
}

pub(crate) fn judge(facts: &Facts, needs: Needs, aws: &Aws) -> Vec<Finding> {
    let named = check("bucket", "name");
    match facts.bucket.or_finding(named.clone()) {
        Ok(Some(())) => {}
        Ok(None) => {
            let found = format!("the bucket {} does not exist", facts.name);
            let why =
                "the response to large payloads is 503, and jobs with large results never succeed";
            return vec![
                named
                    .fail(found, why)
                    .fixed_by(create(&facts.name, needs, aws)),
            ];
        }
        Err(finding) => return vec![finding],
    }
    let mut findings = vec![
        named.ok(&facts.name),
        access(facts, aws),
        encryption(facts, aws),
    ];
    findings.extend(match facts.rules.or_finding(check("bucket", "lifecycle")) {
        Ok(rules) => lifecycle::judge(
            rules.map(Vec::as_slice).unwrap_or_default(),
            &facts.name,
            needs,
            aws,
        ),
        Err(finding) => vec![finding],
    });
    findings
}

fn access(facts: &Facts, aws: &Aws) -> Finding {
    let check = check("bucket", "public access");
    let open = match facts.open.or_finding(check.clone()) {
        Ok(Some(open)) if open.is_empty() => return check.ok("blocked"),
        Ok(Some(open)) => open.join(", "),
        Ok(None) => SWITCHES.join(", "),
        Err(finding) => return finding,
    };
    let why = "one wrong policy or ACL would publish the payloads and results of all callers";
    check
        .fail(format!("not blocked: {open} off"), why)
        .fixed_by(block(&facts.name, aws))
}

fn encryption(facts: &Facts, aws: &Aws) -> Finding {
    let check = check("bucket", "encryption");
    match facts.encryption.or_finding(check.clone()) {
        Ok(Some(Some(algorithm))) => check.ok(algorithm),
        Ok(_) => {
            let finding = check.warn(
                "objects are not encrypted by default",
                "payloads and results are stored unencrypted",
            );
            finding.fixed_by(encrypt(&facts.name, aws))
        }
        Err(finding) => finding,
    }
}

fn block(bucket: &str, aws: &Aws) -> String {
    let all = SWITCHES.map(|switch| format!("{switch}=true")).join(",");
    aws.run(&[
        "s3api",
        "put-public-access-block",
        "--bucket",
        bucket,
        "--public-access-block-configuration",
        &all,
    ])
}

fn encrypt(bucket: &str, aws: &Aws) -> String {
    let rules = r#"{"Rules":[{"ApplyServerSideEncryptionByDefault":{"SSEAlgorithm":"AES256"}}]}"#;
    aws.run(&[
        "s3api",
        "put-bucket-encryption",
        "--bucket",
        bucket,
        "--server-side-encryption-configuration",
        rules,
    ])
}

/// Returns a command that creates the bucket with all of its settings.
fn create(bucket: &str, needs: Needs, aws: &Aws) -> String {
    let place = format!("LocationConstraint={}", aws.region);
    let mut words = vec!["s3api", "create-bucket", "--bucket", bucket];
    // The only region that must not be specified.
    if aws.region != "us-east-1" {
        words.extend(["--create-bucket-configuration", &place]);
    }
    let steps = [
        aws.run(&words),
        block(bucket, aws),
        encrypt(bucket, aws),
        lifecycle::put(&[], bucket, needs, aws),
    ];
    steps.join(" && ")
}

#[cfg(test)]
mod tests;
