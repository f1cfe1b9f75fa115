//! Checks of the table: its key, expiry, recovery and stream.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{
    ContinuousBackupsDescription, KeyType, PointInTimeRecoveryStatus, ScalarAttributeType,
    TableDescription, TimeToLiveDescription, TimeToLiveStatus,
};

use crate::answer::{Answer, Call, Stop};
use crate::command::Aws;
use crate::finding::{Check, Finding, check};
use crate::functions::{KINDS, name};
use cloakroom_aws::{KEY_ATTRIBUTE, TTL_ATTRIBUTE};

/// Responses about the table.
#[derive(Debug, Clone)]
pub(crate) struct Facts {
    name: String,
    table: Answer<Table>,
    /// Attribute for the expiry of items, if it is enabled.
    expiry: Answer<Option<String>>,
    /// True if point-in-time recovery is enabled.
    recovery: Answer<bool>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Table {
    /// Attributes of the key, each in the form `pk (HASH, S)`.
    key: Vec<String>,
    /// View type of the stream, if there is one.
    stream: Option<String>,
    /// ARN of the stream.
    stream_arn: Option<String>,
}

impl Facts {
    /// Returns the ARN of the stream, if there is one.
    pub(crate) fn stream(&self) -> Option<&str> {
        let table = self.table.read()?;
        table
            .stream_arn
            .as_deref()
            .filter(|_| table.stream.is_some())
    }
}

/// View type with the complete change.
const VIEW: &str = "NEW_AND_OLD_IMAGES";

const fn call(action: &'static str) -> Call {
    Call {
        action,
        absent: &["ResourceNotFoundException", "TableNotFoundException"],
    }
}

pub(crate) async fn ask(client: &Client, name: &str) -> Result<Facts, Stop> {
    let table = client.describe_table().table_name(name).send().await;
    let expiry = client.describe_time_to_live().table_name(name).send().await;
    let recovery = client
        .describe_continuous_backups()
        .table_name(name)
        .send()
        .await;
    Ok(Facts {
        name: name.to_owned(),
        table: Answer::from_result(call("dynamodb:DescribeTable"), table)?.map(|it| {
            read(
                it.table
                    .unwrap_or_else(|| TableDescription::builder().build()),
            )
        }),
        expiry: Answer::from_result(call("dynamodb:DescribeTimeToLive"), expiry)?
            .map(|it| it.time_to_live_description.and_then(expiring)),
        recovery: Answer::from_result(call("dynamodb:DescribeContinuousBackups"), recovery)?
            .map(|it| it.continuous_backups_description.is_some_and(recoverable)),
    })
}

fn read(table: TableDescription) -> Table {
    let attributes = table.attribute_definitions.unwrap_or_default();
    let key = table
        .key_schema
        .unwrap_or_default()
        .into_iter()
        .map(|part| {
            let typed = attributes
                .iter()
                .find(|it| it.attribute_name == part.attribute_name);
            let typed = typed.map_or("?", |it| it.attribute_type.as_str());
            format!(
                "{} ({}, {typed})",
                part.attribute_name,
                part.key_type.as_str()
            )
        });
    let stream_arn = table.latest_stream_arn.filter(|arn| !arn.is_empty());
    let stream = table.stream_specification.filter(|it| it.stream_enabled);
    let stream = stream.map(|it| {
        it.stream_view_type
            .map_or_else(|| "?".to_owned(), |view| view.as_str().to_owned())
    });
    Table {
        key: key.collect(),
        stream,
        stream_arn,
    }
}

fn expiring(it: TimeToLiveDescription) -> Option<String> {
    let on = matches!(
        it.time_to_live_status,
        Some(TimeToLiveStatus::Enabled | TimeToLiveStatus::Enabling)
    );
    it.attribute_name.filter(|_| on)
}

fn recoverable(it: ContinuousBackupsDescription) -> bool {
    let status = it
        .point_in_time_recovery_description
        .and_then(|it| it.point_in_time_recovery_status);
    status == Some(PointInTimeRecoveryStatus::Enabled)
}

fn right_key() -> String {
    format!(
        "{KEY_ATTRIBUTE} ({}, {})",
        KeyType::Hash.as_str(),
        ScalarAttributeType::S.as_str()
    )
}

pub(crate) fn judge(facts: &Facts, aws: &Aws) -> Vec<Finding> {
    let key_check = check("table", "key schema");
    let table = match facts.table.or_finding(key_check.clone()) {
        Ok(Some(table)) => table,
        Ok(None) => {
            let found = format!("the table {} does not exist in {}", facts.name, aws.region);
            let finding = check("table", "name").fail(
                found,
                "no job can be stored: the response to every request is 503",
            );
            return vec![finding.fixed_by(create(&facts.name, aws))];
        }
        Err(finding) => return vec![finding],
    };
    vec![
        check("table", "name").ok(&facts.name),
        key(table, key_check, &facts.name, aws),
        stream(table, &facts.name, aws),
        settled(
            facts.expiry.or_finding(check("table", "time to live")),
            |on| expiry(on.as_deref(), &facts.name, aws),
        ),
        settled(
            facts
                .recovery
                .or_finding(check("table", "point-in-time recovery")),
            |on| recovery(on, &facts.name, aws),
        ),
    ]
}

fn settled<T: Default + Clone>(
    answer: Result<Option<&T>, Finding>,
    judge: impl FnOnce(T) -> Finding,
) -> Finding {
    match answer {
        Ok(value) => judge(value.cloned().unwrap_or_default()),
        Err(finding) => finding,
    }
}

/// Checks the key. It can't be changed: the fix is another table, and the items of this one remain there.
fn key(table: &Table, check: Check, name_: &str, aws: &Aws) -> Finding {
    let found = table.key.join(" and ");
    if table.key == [right_key()] {
        return check.ok(found);
    }
    let other = format!("{name_}-{KEY_ATTRIBUTE}");
    let functions =
        KINDS.map(|kind| aws.set_variable(&name(&aws.stack, kind), "CLOAKROOM_TABLE", &other));
    let finding = check.fail(
        format!("{found}; it must be {}", right_key()),
        "DynamoDB rejects every read and write of a job; a key can't be changed: another table is necessary",
    );
    finding.fixed_by(format!(
        "{} && {}",
        create(&other, aws),
        functions.join(" && ")
    ))
}

fn stream(table: &Table, name: &str, aws: &Aws) -> Finding {
    let check = check("table", "stream");
    let update = |specification: &str| {
        aws.run(&[
            "dynamodb",
            "update-table",
            "--table-name",
            name,
            "--stream-specification",
            specification,
        ])
    };
    let on = update(&format!("StreamEnabled=true,StreamViewType={VIEW}"));
    match table.stream.as_deref() {
        Some(VIEW) => check.ok(VIEW),
        Some(other) => check
            .warn(
                format!("its view is {other} instead of {VIEW}"),
                "readers of the stream can't compare a job before and after a change",
            )
            .fixed_by(format!(
                "{} && {} && {on}",
                update("StreamEnabled=false"),
                wait(name, aws)
            )),
        None => check
            .fail(
                "it is off",
                "the stream's readers miss all changes of jobs, and do not receive them later",
            )
            .fixed_by(on),
    }
}

fn expiry(attribute: Option<&str>, name: &str, aws: &Aws) -> Finding {
    let check = check("table", "time to live");
    let why = "expired records are never deleted: the table grows, and is billed, forever";
    match attribute {
        Some(TTL_ATTRIBUTE) => check.ok(format!("by {TTL_ATTRIBUTE}")),
        // DynamoDB accepts one such change per hour.
        Some(other) => check
            .fail(
                format!("items expire by {other} instead of {TTL_ATTRIBUTE}"),
                format!("{why}; the setting can be changed once an hour"),
            )
            .fixed_by(format!(
                "{} && {}",
                expire(name, other, false, aws),
                expire(name, TTL_ATTRIBUTE, true, aws)
            )),
        None => check
            .fail("it is off", why)
            .fixed_by(expire(name, TTL_ATTRIBUTE, true, aws)),
    }
}

fn recovery(on: bool, name: &str, aws: &Aws) -> Finding {
    let check = check("table", "point-in-time recovery");
    if on {
        return check.ok("on");
    }
    let finding = check.warn(
        "it is off",
        "jobs that are deleted or overwritten by mistake can't be restored",
    );
    finding.fixed_by(recover(name, aws))
}

fn expire(name: &str, attribute: &str, enabled: bool, aws: &Aws) -> String {
    let specification = format!("Enabled={enabled},AttributeName={attribute}");
    aws.run(&[
        "dynamodb",
        "update-time-to-live",
        "--table-name",
        name,
        "--time-to-live-specification",
        &specification,
    ])
}

fn recover(name: &str, aws: &Aws) -> String {
    let on = "PointInTimeRecoveryEnabled=true";
    aws.run(&[
        "dynamodb",
        "update-continuous-backups",
        "--table-name",
        name,
        "--point-in-time-recovery-specification",
        on,
    ])
}

fn wait(name: &str, aws: &Aws) -> String {
    aws.run(&["dynamodb", "wait", "table-exists", "--table-name", name])
}

/// Returns a command that creates the table with all of its settings.
fn create(name: &str, aws: &Aws) -> String {
    let attributes = format!("AttributeName={KEY_ATTRIBUTE},AttributeType=S");
    let (key, stream) = (
        format!("AttributeName={KEY_ATTRIBUTE},KeyType=HASH"),
        format!("StreamEnabled=true,StreamViewType={VIEW}"),
    );
    let mut words = vec![
        "dynamodb",
        "create-table",
        "--table-name",
        name,
        "--billing-mode",
        "PAY_PER_REQUEST",
    ];
    words.extend([
        "--attribute-definitions",
        &attributes,
        "--key-schema",
        &key,
        "--stream-specification",
        &stream,
    ]);
    let steps = [
        aws.run(&words),
        wait(name, aws),
        expire(name, TTL_ATTRIBUTE, true, aws),
        recover(name, aws),
    ];
    steps.join(" && ")
}

#[cfg(test)]
mod tests;
