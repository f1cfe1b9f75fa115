//! The role of each function allows exactly what the function does.

use std::collections::BTreeSet;

use serde_yaml_ng::Value;

use crate::wide;

/// Permissions of a role for which there is no corresponding call in the log of the SDK.
const BESIDES: &[(&str, &[&str], &str)] = &[
    (
        "submit",
        &["s3:ListBucket"],
        "without it S3 answers 403, not 404, for an upload that is not there",
    ),
    (
        "submit",
        GIVE_UP,
        "an object that is copied in parts is given up when one fails; none does here",
    ),
    (
        "worker",
        GIVE_UP,
        "a result that is written in parts is given up when it breaks off; none does here",
    ),
    (
        "worker",
        &["kms:Decrypt"],
        "S3 asks for it where a producer's bucket is encrypted with a KMS key",
    ),
    (
        "worker",
        &["s3:ListBucket"],
        "without it S3 answers 403, not 404, for a payload that is gone",
    ),
    (
        "worker",
        POLL,
        "Lambda's event source mapping polls the queue by the role of its function",
    ),
    ("dead-letters", POLL, "likewise"),
    ("sweeper", POLL, "likewise"),
    ("sweeper", READ_STREAM, "likewise, the table's stream"),
    ("publisher", READ_STREAM, "likewise"),
    ("deliver", POLL, "likewise"),
    (
        "deliver",
        &["s3:ListBucket"],
        "without it S3 answers 403, not 404, for a result that is gone",
    ),
    (
        "submit",
        &["iam:PassRole"],
        "IAM asks for it where a schedule is given the role that it sends by",
    ),
    (
        "submit",
        LOG,
        "Lambda writes the function's log by its role",
    ),
    (
        "worker",
        LOG,
        "Lambda writes the function's log by its role",
    ),
    (
        "status",
        LOG,
        "Lambda writes the function's log by its role",
    ),
    (
        "events",
        LOG,
        "Lambda writes the function's log by its role",
    ),
    (
        "publisher",
        LOG,
        "Lambda writes the function's log by its role",
    ),
    (
        "deliver",
        LOG,
        "Lambda writes the function's log by its role",
    ),
    (
        "dead-letters",
        LOG,
        "Lambda writes the function's log by its role",
    ),
    (
        "sweeper",
        LOG,
        "Lambda writes the function's log by its role",
    ),
];

const POLL: &[&str] = &[
    "sqs:ReceiveMessage",
    "sqs:DeleteMessage",
    "sqs:GetQueueAttributes",
];

const READ_STREAM: &[&str] = &[
    "dynamodb:DescribeStream",
    "dynamodb:GetRecords",
    "dynamodb:GetShardIterator",
    "dynamodb:ListStreams",
];

const GIVE_UP: &[&str] = &["s3:AbortMultipartUpload"];

/// Permissions for logs. The template creates the log groups.
const LOG: &[&str] = &["logs:CreateLogStream", "logs:PutLogEvents"];

/// Returns the IAM actions that an operation requires, if they differ from its name.
fn actions(operation: &str) -> Vec<String> {
    match operation {
        "S3.HeadObject" => vec!["s3:GetObject".to_owned()],
        "S3.CopyObject" | "S3.UploadPartCopy" => {
            vec!["s3:GetObject".to_owned(), "s3:PutObject".to_owned()]
        }
        "S3.CreateMultipartUpload" | "S3.UploadPart" | "S3.CompleteMultipartUpload" => {
            vec!["s3:PutObject".to_owned()]
        }
        "S3.ListParts" => vec!["s3:ListMultipartUploadParts".to_owned()],
        _ => {
            let (service, name) = operation.split_once('.').expect("a service and a name");
            let service = match service {
                "EventBridge" => "events".to_owned(),
                other => other.to_lowercase().replace(' ', ""),
            };
            vec![format!("{service}:{name}")]
        }
    }
}

/// Returns the actions that a role of the template allows.
fn allowed(template: &Value, role: &str) -> BTreeSet<String> {
    let properties = &template["Resources"][role]["Properties"];
    assert_eq!(
        properties.get("ManagedPolicyArns"),
        None,
        "{role}: what a policy of AWS's allows stands elsewhere"
    );
    let policies = properties["Policies"]
        .as_sequence()
        .unwrap_or_else(|| panic!("{role} has no policies"));
    let statements = policies.iter().flat_map(|policy| {
        let statements = policy["PolicyDocument"]["Statement"].as_sequence();
        statements.unwrap_or_else(|| panic!("{role} has a policy without a list of statements"))
    });
    let mut allowed = BTreeSet::new();
    for statement in statements {
        // A conditional statement counts as allowed, because all conditions hold here.
        let statement = match statement {
            Value::Tagged(tagged) if tagged.tag == "!If" => &tagged.value[1],
            plain => plain,
        };
        assert_eq!(statement["Effect"], "Allow", "{role}");
        let actions = match &statement["Action"] {
            Value::Sequence(actions) => actions.iter().collect(),
            one => vec![one],
        };
        let name = |action: &Value| {
            action
                .as_str()
                .unwrap_or_else(|| panic!("{role}: {action:?}"))
                .to_owned()
        };
        allowed.extend(actions.into_iter().map(name));
    }
    allowed
}

#[test]
fn beyond_its_role_a_function_may_be_traced_where_that_is_wished_and_nothing_else() {
    let template = cloakroom_tests::template();
    let resources = template["Resources"].as_mapping().expect("resources");
    let policies = [
        "AWS::IAM::Policy",
        "AWS::IAM::ManagedPolicy",
        "AWS::IAM::RolePolicy",
    ];
    let besides: Vec<_> = resources
        .iter()
        .filter(|(_, it)| policies.iter().any(|kind| it["Type"] == *kind))
        .collect();
    let [(_, policy)] = besides[..] else {
        panic!("one policy: {besides:?}")
    };
    assert_eq!(policy["Condition"], "IsTraced");
    let statements = policy["Properties"]["PolicyDocument"]["Statement"]
        .as_sequence()
        .expect("statements");
    let [statement] = &statements[..] else {
        panic!("one statement: {statements:?}")
    };
    // https://docs.aws.amazon.com/lambda/latest/dg/services-xray.html
    let actions = statement["Action"].as_sequence().expect("actions");
    assert!(
        actions
            .iter()
            .eq(["xray:PutTraceSegments", "xray:PutTelemetryRecords"]),
        "{actions:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn each_role_allows_exactly_what_its_function_does() {
    let template = cloakroom_tests::template();
    let mut wrong = vec![];
    for (function, operations) in Box::pin(wide::flow()).await {
        let role = match function {
            "submit" => "SubmitRole",
            "worker" => "WorkerRole",
            "dead-letters" => "DeadLettersRole",
            "sweeper" => "SweeperRole",
            "events" => "EventsRole",
            "publisher" => "PublisherRole",
            "deliver" => "DeliverRole",
            _ => "StatusRole",
        };
        let mut needed: BTreeSet<String> = operations
            .iter()
            .flat_map(|operation| actions(operation))
            .collect();
        let besides = BESIDES
            .iter()
            .filter(|(of, ..)| *of == function)
            .flat_map(|(_, actions, _)| *actions);
        needed.extend(besides.map(|action| (*action).to_owned()));
        let allowed = allowed(&template, role);
        let missing = needed
            .difference(&allowed)
            .map(|action| format!("{role} does not allow {action}"));
        let too_many = allowed
            .difference(&needed)
            .map(|action| format!("{role} allows {action} for nothing"));
        let found: Vec<_> = missing.chain(too_many).collect();
        if !found.is_empty() {
            wrong.push(format!(
                "{}\n  {function} was seen to ask for {operations:?}",
                found.join("\n")
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
