//! The rules of a change, as DynamoDB's expressions: exactly `Guard::holds` and `Patch::apply`, and nothing of its own.

use std::collections::{BTreeMap, HashMap};

use aws_sdk_dynamodb::types::AttributeValue;
use cloakroom::{Guard, Patch, Timestamp, Transition};

use crate::record::{
    OF_A_SUCCESS, VERSION, failure_attributes, lease_attributes, millis, name, number, percent, steps,
    success_attributes, text,
};

/// A conditional update.
#[derive(Debug)]
pub(crate) struct Update {
    pub(crate) condition: String,
    pub(crate) changes: String,
    pub(crate) words: Words,
}

/// What the placeholders of an expression stand for. All names have one, as many are reserved words.
#[derive(Debug, Default)]
pub(crate) struct Words {
    names: BTreeMap<String, String>,
    values: BTreeMap<String, AttributeValue>,
}

impl Words {
    pub(crate) fn name(&mut self, attribute: &'static str) -> String {
        let placeholder = format!("#{attribute}");
        self.names.insert(placeholder.clone(), attribute.to_owned());
        placeholder
    }

    pub(crate) fn value(&mut self, label: impl std::fmt::Display, value: AttributeValue) -> String {
        let placeholder = format!(":{label}");
        self.values.insert(placeholder.clone(), value);
        placeholder
    }

    pub(crate) fn into_parts(self) -> (HashMap<String, String>, HashMap<String, AttributeValue>) {
        (self.names.into_iter().collect(), self.values.into_iter().collect())
    }
}

/// The second that a time falls in. `expires_at` is a whole second, so it is later than the time if and only if it is
/// later than this second: `Job::is_alive`, without a fraction.
pub(crate) fn second(time: Timestamp) -> AttributeValue {
    number(time.as_millis().div_euclid(1000))
}

/// A transition as one update.
pub(crate) fn update(transition: &Transition) -> Update {
    let mut words = Words::default();
    let condition = condition(&transition.guard, &mut words);
    let changes = render(assignments(&transition.patch), &mut words);
    Update { condition, changes, words }
}

fn condition(guard: &Guard, words: &mut Words) -> String {
    let pk = words.name(name::PK);
    let mut terms = vec![format!("attribute_exists({pk})")];
    // Not the guard's: a later program's record is not changed by a program that can't read it.
    terms.push(format!("{} <= {}", words.name(name::V), words.value("known_v", number(VERSION))));
    terms.push(format!("{} > {}", words.name(name::EXPIRES_AT), words.value("alive_at", second(guard.alive_at))));
    let statuses: Vec<_> = guard
        .statuses
        .iter()
        .enumerate()
        .map(|(n, status)| words.value(format!("from_{n}"), text(status.as_str())))
        .collect();
    terms.push(if statuses.is_empty() {
        // None of no statuses: never. DynamoDB takes no empty list.
        format!("attribute_not_exists({pk})")
    } else {
        format!("{} IN ({})", words.name(name::STATUS), statuses.join(", "))
    });
    if let Some(at) = guard.created_at {
        terms.push(format!("{} = {}", words.name(name::CREATED_AT), words.value("incarnation", millis(at))));
    }
    if let Some(token) = guard.token {
        terms.push(format!("{} = {}", words.name(name::LEASE_TOKEN), words.value("held_by", text(token.to_string()))));
    }
    if let Some(by) = guard.ready_by {
        terms.push(format!("{} <= {}", words.name(name::READY_AT), words.value("ready_by", millis(by))));
    }
    if let Some(max) = guard.attempts_below {
        terms.push(format!("{} < {}", words.name(name::ATTEMPT), words.value("attempts_below", number(max))));
    }
    if let Some(version) = guard.version {
        terms.push(format!("{} = {}", words.name(name::VERSION), words.value("of_version", number(version))));
    }
    terms.join(" AND ")
}

/// Every attribute that tells of attempts, but their number.
const OF_THE_ATTEMPTS: [&str; 11] = [
    name::LEASE_TOKEN,
    name::LEASE_MESSAGE,
    name::LEASE_ENDS_AT,
    name::PROGRESS,
    name::PROGRESS_MESSAGE,
    name::ESTIMATED_FINISH_AT,
    name::STARTED_AT,
    name::FINISHED_AT,
    name::FAILURE_STATUS,
    name::FAILURE_CODE,
    name::FAILURE_DETAIL,
];

/// What becomes of an attribute.
enum Becomes {
    /// This.
    Value(AttributeValue),
    /// This, if it has no value yet.
    ValueOnce(AttributeValue),
    /// One more.
    OneMore,
    /// A list with this list at its end.
    Longer(AttributeValue),
    /// So many seconds, and the job's retention.
    Expiry(AttributeValue),
    /// Nothing.
    Gone,
}

/// By attribute: what comes later in the patch's order takes the place of what came before.
fn assignments(patch: &Patch) -> BTreeMap<&'static str, Becomes> {
    let mut all = BTreeMap::new();
    all.insert(name::VERSION, Becomes::OneMore);
    all.insert(name::UPDATED_AT, Becomes::Value(millis(patch.updated_at)));
    all.insert(name::EXPIRES_AT, Becomes::Expiry(number(patch.updated_at.as_seconds_ceil())));
    if let Some(status) = patch.status {
        all.insert(name::STATUS, Becomes::Value(text(status.as_str())));
    }
    if let Some(kept) = &patch.anew {
        all.extend(OF_THE_ATTEMPTS.map(|name| (name, Becomes::Gone)));
        all.insert(name::ATTEMPT, Becomes::Value(number(0)));
        all.insert(name::HISTORY, Becomes::Value(steps(kept.iter().chain(&patch.step))));
    } else if let Some(step) = &patch.step {
        all.insert(name::HISTORY, Becomes::Longer(steps([step])));
    }
    if let Some(lease) = &patch.begin {
        all.insert(name::LEASE_ENDS_AT, Becomes::Gone);
        all.extend(lease_attributes(lease).into_iter().map(|(name, value)| (name, Becomes::Value(value))));
        all.insert(name::ATTEMPT, Becomes::OneMore);
        all.insert(name::STARTED_AT, Becomes::ValueOnce(millis(patch.updated_at)));
        all.extend(
            [name::PROGRESS, name::PROGRESS_MESSAGE, name::ESTIMATED_FINISH_AT].map(|name| (name, Becomes::Gone)),
        );
    }
    if let Some(at) = patch.ready_at {
        all.insert(name::READY_AT, Becomes::Value(millis(at)));
    }
    if let Some((progress, estimate)) = &patch.progress {
        all.insert(name::PROGRESS, Becomes::Value(percent(progress.percent)));
        all.insert(
            name::PROGRESS_MESSAGE,
            progress.message.as_ref().map_or(Becomes::Gone, |message| Becomes::Value(text(message))),
        );
        all.insert(name::ESTIMATED_FINISH_AT, estimate.map_or(Becomes::Gone, |at| Becomes::Value(millis(at))));
    }
    if let Some(at) = patch.finished_at {
        all.insert(name::FINISHED_AT, Becomes::Value(millis(at)));
    }
    if let Some(success) = &patch.success {
        all.extend(OF_A_SUCCESS.map(|name| (name, Becomes::Gone)));
        all.extend(success_attributes(success).into_iter().map(|(name, value)| (name, Becomes::Value(value))));
    }
    if let Some(failure) = &patch.failure {
        all.extend(failure_attributes(failure).map(|(name, value)| (name, Becomes::Value(value))));
    }
    all
}

fn render(assignments: BTreeMap<&'static str, Becomes>, words: &mut Words) -> String {
    let (mut set, mut remove) = (Vec::new(), Vec::new());
    for (attribute, becomes) in assignments {
        let name = words.name(attribute);
        match becomes {
            Becomes::Value(value) => set.push(format!("{name} = {}", words.value(attribute, value))),
            Becomes::ValueOnce(value) => {
                set.push(format!("{name} = if_not_exists({name}, {})", words.value(attribute, value)));
            }
            Becomes::OneMore => set.push(format!("{name} = {name} + {}", words.value("one", number(1)))),
            Becomes::Longer(more) => {
                let none = words.value("none", AttributeValue::L(vec![]));
                let more = words.value(attribute, more);
                set.push(format!("{name} = list_append(if_not_exists({name}, {none}), {more})"));
            }
            Becomes::Expiry(seconds) => {
                let retention = words.name(name::RETENTION);
                set.push(format!("{name} = {} + {retention}", words.value(attribute, seconds)));
            }
            Becomes::Gone => remove.push(name),
        }
    }
    let set = format!("SET {}", set.join(", "));
    if remove.is_empty() { set } else { format!("{set} REMOVE {}", remove.join(", ")) }
}

#[cfg(test)]
mod tests;
