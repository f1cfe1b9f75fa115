//! Checks of the bucket's lifecycle rules: all objects are deleted, but none too early.

use std::time::Duration;

use aws_sdk_s3::types::{ExpirationStatus, LifecycleRule};
use cloakroom_app::command::RESULT_DAYS;
use cloakroom_app::ports::keys;
use cloakroom_app::upload::UPLOAD_LIFE;
use serde_json::{Value, json};

use crate::command::{Aws, quoted};
use crate::finding::{Finding, check};
use crate::needs::Needs;

const DAY: u64 = 24 * 3600;

/// Prefixes of the objects that a deployment stores and that must expire.
const OURS: [&str; 3] = ["payloads/", "results/", "uploads/"];

/// Relevant properties of a lifecycle rule.
#[expect(
    clippy::struct_excessive_bools,
    reason = "a rule says yes or no to each"
)]
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Rule {
    pub(crate) id: String,
    pub(crate) enabled: bool,
    pub(crate) prefix: String,
    /// True if the rule only applies to some objects below its prefix, by their tags or sizes.
    pub(crate) narrowed: bool,
    /// Days after which it deletes objects; 0 for a rule with a date.
    pub(crate) expires: Option<u64>,
    /// True if it aborts incomplete multipart uploads.
    pub(crate) aborts: bool,
    /// True if it also has other effects.
    pub(crate) more: bool,
}

impl Rule {
    #[expect(deprecated, reason = "old rules have their prefix outside of a filter")]
    pub(crate) fn read(rule: &LifecycleRule) -> Self {
        let filter = rule.filter.as_ref();
        let and = filter.and_then(|filter| filter.and.as_ref());
        let prefix = rule
            .prefix
            .as_ref()
            .or(filter.and_then(|it| it.prefix.as_ref()));
        let sized = filter.is_some_and(|it| {
            it.object_size_greater_than.is_some() || it.object_size_less_than.is_some()
        });
        let expiration = rule.expiration.as_ref();
        let days = expiration
            .and_then(|it| it.days)
            .map(|days| u64::try_from(days).unwrap_or(0));
        Self {
            id: rule.id.clone().unwrap_or_default(),
            enabled: rule.status == ExpirationStatus::Enabled,
            prefix: prefix
                .or(and.and_then(|it| it.prefix.as_ref()))
                .cloned()
                .unwrap_or_default(),
            narrowed: sized || and.is_some() || filter.is_some_and(|it| it.tag.is_some()),
            expires: days.or(expiration.and_then(|it| it.date).map(|_| 0)),
            aborts: rule.abort_incomplete_multipart_upload.is_some(),
            more: rule.transitions.is_some()
                || rule.noncurrent_version_expiration.is_some()
                || rule.noncurrent_version_transitions.is_some()
                || expiration.is_some_and(|it| it.expired_object_delete_marker == Some(true)),
        }
    }

    /// Returns true if the rule applies to all objects below this prefix.
    fn covers(&self, prefix: &str) -> bool {
        self.enabled && !self.narrowed && prefix.starts_with(&self.prefix)
    }

    /// Returns true if the rule deletes an object below this prefix in less than this number of days.
    fn is_too_early(&self, prefix: &str, days: u64) -> bool {
        let meets = prefix.starts_with(&self.prefix) || self.prefix.starts_with(prefix);
        self.enabled && meets && self.expires.is_some_and(|after| after < days)
    }
}

/// Returns each prefix with the number of days for which its objects are needed.
fn wanted(needs: Needs) -> Vec<(String, u64)> {
    let days = |life: Duration| life.as_secs().div_ceil(DAY).max(1);
    let kept = [
        ("payloads/".to_owned(), days(needs.objects_life)),
        ("uploads/".to_owned(), days(UPLOAD_LIFE)),
    ];
    let results = RESULT_DAYS
        .into_iter()
        .zip(needs.results)
        .filter(|(_, needed)| *needed);
    kept.into_iter()
        .chain(results.map(|(days, _)| (keys::results_prefix(days), u64::from(days))))
        .collect()
}

/// Returns the name of the rule for a prefix.
fn name(prefix: &str) -> String {
    prefix.trim_end_matches('/').replace('/', "-")
}

pub(crate) fn judge(rules: &[Rule], bucket: &str, needs: Needs, aws: &Aws) -> Vec<Finding> {
    let fix = put(rules, bucket, needs, aws);
    let expiry = wanted(needs)
        .into_iter()
        .map(|(prefix, days)| expiry(rules, &prefix, days, &fix));
    expiry.chain([parts(rules, fix.clone())]).collect()
}

fn expiry(rules: &[Rule], prefix: &str, days: u64, fix: &str) -> Finding {
    let check = check("bucket", format!("lifecycle of {prefix}"));
    if let Some(early) = rules.iter().find(|rule| rule.is_too_early(prefix, days)) {
        let after = early.expires.filter(|days| *days > 0);
        let after = after.map_or_else(
            || "on a date".to_owned(),
            |after| format!("after {after} d"),
        );
        let found = format!(
            "deleted {after} by the rule {:?}, and needed for {days} d",
            early.id
        );
        return check
            .fail(
                found,
                "the payload of a waiting job, or the result of a finished one, is deleted too early",
            )
            .fixed_by(fix);
    }
    let soonest = rules
        .iter()
        .filter(|rule| rule.covers(prefix))
        .filter_map(|rule| rule.expires)
        .min();
    match soonest {
        Some(after) => check.ok(format!("deleted after {after} d")),
        None => {
            let why = "expired objects are stored and billed forever, even if callers expect them to be deleted";
            check.fail("no rule deletes them", why).fixed_by(fix)
        }
    }
}

fn parts(rules: &[Rule], fix: String) -> Finding {
    let check = check("bucket", "lifecycle of unfinished uploads");
    if OURS
        .iter()
        .all(|prefix| rules.iter().any(|rule| rule.aborts && rule.covers(prefix)))
    {
        return check.ok("aborted");
    }
    let why = "the parts of incomplete uploads appear in no list, and are billed forever";
    check.warn("no rule aborts them", why).fixed_by(fix)
}

/// Returns a command that sets the required rules. A bucket has one set of rules, which the command replaces. Unrelated
/// rules are part of the new set, as they are when the command runs.
pub(crate) fn put(rules: &[Rule], bucket: &str, needs: Needs, aws: &Aws) -> String {
    let all = wanted(Needs {
        results: [true; RESULT_DAYS.len()],
        ..needs
    });
    let ours: Vec<_> = all.into_iter().map(rule).chain([unfinished()]).collect();
    let (dropped, kept): (Vec<_>, Vec<_>) = rules.iter().partition(|rule| is_replaced(rule, needs));
    let put = format!(
        "s3api put-bucket-lifecycle-configuration --bucket {}",
        quoted(bucket)
    );
    if kept.is_empty() {
        return aws.raw(&format!(
            "{put} --lifecycle-configuration {}",
            quoted(&json!({ "Rules": ours }).to_string())
        ));
    }
    // Ids as JSON, in a literal of JMESPath, in a single-quoted word of a shell.
    let literal = |value: Value| value.to_string().replace('`', "\\`").replace('\'', r"'\''");
    let dropped = literal(
        dropped
            .into_iter()
            .map(|rule| Value::from(rule.id.as_str()))
            .collect(),
    );
    let query = format!(
        "{{Rules: [Rules[?!contains(`{dropped}`, ID)], `{}`][]}}",
        literal(ours.into())
    );
    let get = format!(
        "s3api get-bucket-lifecycle-configuration --bucket {} --query '{query}' --output json",
        quoted(bucket)
    );
    aws.raw(&format!(
        "{put} --lifecycle-configuration \"$({})\"",
        aws.raw(&get)
    ))
}

/// Returns true if the required rules replace this one: it only applies to our prefixes, has the name of a required
/// rule, or deletes too early.
fn is_replaced(rule: &Rule, needs: Needs) -> bool {
    let wanted = wanted(needs);
    let named = rule.id == "unfinished" || wanted.iter().any(|(prefix, _)| rule.id == name(prefix));
    let alone = OURS.iter().any(|ours| rule.prefix.starts_with(ours));
    let early = wanted
        .iter()
        .any(|(prefix, days)| rule.is_too_early(prefix, *days));
    let only_aborts = rule.aborts && rule.prefix.is_empty() && rule.expires.is_none() && !rule.more;
    named || alone || early || only_aborts
}

fn rule((prefix, days): (String, u64)) -> Value {
    json!({ "ID": name(&prefix), "Status": "Enabled", "Filter": { "Prefix": prefix }, "Expiration": { "Days": days } })
}

fn unfinished() -> Value {
    let abort = json!({ "DaysAfterInitiation": 1 });
    json!({ "ID": "unfinished", "Status": "Enabled", "Filter": { "Prefix": "" }, "AbortIncompleteMultipartUpload": abort })
}

#[cfg(test)]
mod tests;
