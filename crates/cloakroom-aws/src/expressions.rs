//! The rules of a change, as DynamoDB's expressions: exactly `Guard::holds` and `Patch::apply`, and nothing of its own.

use std::collections::HashMap;
use std::fmt::{self, Display, Write as _};

use aws_sdk_dynamodb::types::AttributeValue;
use cloakroom::{Guard, Patch, Status, Timestamp, Transition};

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
    names: Vec<&'static str>,
    values: Vec<(&'static str, AttributeValue)>,
}

/// A placeholder, as it is written in an expression.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Placeholder(char, &'static str);

impl Display for Placeholder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char(self.0)?;
        f.write_str(self.1)
    }
}

impl Words {
    pub(crate) fn name(&mut self, attribute: &'static str) -> Placeholder {
        if !self.names.contains(&attribute) {
            self.names.push(attribute);
        }
        Placeholder('#', attribute)
    }

    pub(crate) fn value(&mut self, label: &'static str, value: AttributeValue) -> Placeholder {
        self.values.push((label, value));
        Placeholder(':', label)
    }

    /// That the status is one of these.
    pub(crate) fn status_is_one_of(&mut self, statuses: impl IntoIterator<Item = Status>) -> String {
        let name = self.name(name::STATUS);
        let mut list = String::new();
        for status in statuses {
            let value = self.value(status.as_str(), text(status.as_str()));
            add(&mut list, ", ", format_args!("{value}"));
        }
        format!("{name} IN ({list})")
    }

    pub(crate) fn into_parts(self) -> (HashMap<String, String>, HashMap<String, AttributeValue>) {
        let names = self.names.into_iter().map(|name| (["#", name].concat(), name.to_owned()));
        let values = self.values.into_iter().map(|(label, value)| ([":", label].concat(), value));
        (names.collect(), values.collect())
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

/// A condition while it is written.
struct Condition<'a> {
    text: String,
    words: &'a mut Words,
}

impl Condition<'_> {
    fn and(&mut self, term: fmt::Arguments<'_>) {
        add(&mut self.text, " AND ", term);
    }

    fn and_is(&mut self, attribute: &'static str, how: &str, label: &'static str, value: AttributeValue) {
        let (name, value) = (self.words.name(attribute), self.words.value(label, value));
        self.and(format_args!("{name} {how} {value}"));
    }
}

/// Writes one more of several.
fn add(text: &mut String, between: &str, one: fmt::Arguments<'_>) {
    if !text.is_empty() {
        text.push_str(between);
    }
    // Writing to a string does not fail.
    _ = text.write_fmt(one);
}

fn condition(guard: &Guard, words: &mut Words) -> String {
    let pk = words.name(name::PK);
    let mut condition = Condition { text: format!("attribute_exists({pk})"), words };
    // Not the guard's: a later program's record is not changed by a program that can't read it.
    condition.and_is(name::V, "<=", "known_v", number(VERSION));
    condition.and_is(name::EXPIRES_AT, ">", "alive_at", second(guard.alive_at));
    if guard.statuses.is_empty() {
        // None of no statuses: never. DynamoDB takes no empty list.
        condition.and(format_args!("attribute_not_exists({pk})"));
    } else {
        let one_of = condition.words.status_is_one_of(guard.statuses.iter().copied());
        condition.and(format_args!("{one_of}"));
    }
    if let Some(at) = guard.created_at {
        condition.and_is(name::CREATED_AT, "=", "incarnation", millis(at));
    }
    if let Some(token) = guard.token {
        condition.and_is(name::LEASE_TOKEN, "=", "held_by", text(token.to_string()));
    }
    if let Some(by) = guard.ready_by {
        condition.and_is(name::READY_AT, "<=", "ready_by", millis(by));
    }
    if let Some(max) = guard.attempts_below {
        condition.and_is(name::ATTEMPT, "<", "attempts_below", number(max));
    }
    if let Some(version) = guard.version {
        condition.and_is(name::VERSION, "=", "of_version", number(version));
    }
    condition.text
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

/// What becomes of which attributes.
#[derive(Default)]
struct Assignments(Vec<(&'static str, Becomes)>);

impl Assignments {
    /// What comes later in the patch's order takes the place of what came before.
    fn set(&mut self, attribute: &'static str, becomes: Becomes) {
        match self.0.iter_mut().find(|(name, _)| *name == attribute) {
            Some((_, before)) => *before = becomes,
            None => self.0.push((attribute, becomes)),
        }
    }

    fn set_all(&mut self, values: impl IntoIterator<Item = (&'static str, AttributeValue)>) {
        for (name, value) in values {
            self.set(name, Becomes::Value(value));
        }
    }

    fn take_away(&mut self, attributes: &[&'static str]) {
        for name in attributes {
            self.set(name, Becomes::Gone);
        }
    }
}

fn assignments(patch: &Patch) -> Assignments {
    let mut all = Assignments::default();
    all.set(name::VERSION, Becomes::OneMore);
    all.set(name::UPDATED_AT, Becomes::Value(millis(patch.updated_at)));
    all.set(name::EXPIRES_AT, Becomes::Expiry(number(patch.updated_at.as_seconds_ceil())));
    if let Some(status) = patch.status {
        all.set(name::STATUS, Becomes::Value(text(status.as_str())));
    }
    if let Some(kept) = &patch.anew {
        all.take_away(&OF_THE_ATTEMPTS);
        all.set(name::ATTEMPT, Becomes::Value(number(0)));
        all.set(name::HISTORY, Becomes::Value(steps(kept.iter().chain(&patch.step))));
    } else if let Some(step) = &patch.step {
        all.set(name::HISTORY, Becomes::Longer(steps([step])));
    }
    if let Some(lease) = &patch.begin {
        all.take_away(&[name::LEASE_ENDS_AT]);
        all.set_all(lease_attributes(lease));
        all.set(name::ATTEMPT, Becomes::OneMore);
        all.set(name::STARTED_AT, Becomes::ValueOnce(millis(patch.updated_at)));
        all.take_away(&[name::PROGRESS, name::PROGRESS_MESSAGE, name::ESTIMATED_FINISH_AT]);
    }
    if let Some(at) = patch.ready_at {
        all.set(name::READY_AT, Becomes::Value(millis(at)));
    }
    if let Some((progress, estimate)) = &patch.progress {
        all.set(name::PROGRESS, Becomes::Value(percent(progress.percent)));
        let message = progress.message.as_ref();
        all.set(name::PROGRESS_MESSAGE, message.map_or(Becomes::Gone, |message| Becomes::Value(text(message))));
        all.set(name::ESTIMATED_FINISH_AT, estimate.map_or(Becomes::Gone, |at| Becomes::Value(millis(at))));
    }
    if let Some(at) = patch.finished_at {
        all.set(name::FINISHED_AT, Becomes::Value(millis(at)));
    }
    if let Some(success) = &patch.success {
        all.take_away(&OF_A_SUCCESS);
        all.set_all(success_attributes(success));
    }
    if let Some(failure) = &patch.failure {
        all.set_all(failure_attributes(failure));
    }
    all
}

/// In the order of the attributes' names: one patch is always the same text.
fn render(Assignments(mut all): Assignments, words: &mut Words) -> String {
    all.sort_unstable_by_key(|(attribute, _)| *attribute);
    let (mut set, mut remove) = (String::new(), String::new());
    for (attribute, becomes) in all {
        let name = words.name(attribute);
        let mut set = |value: fmt::Arguments<'_>| add(&mut set, ", ", format_args!("{name} = {value}"));
        match becomes {
            Becomes::Value(value) => set(format_args!("{}", words.value(attribute, value))),
            Becomes::ValueOnce(value) => {
                set(format_args!("if_not_exists({name}, {})", words.value(attribute, value)));
            }
            Becomes::OneMore => set(format_args!("{name} + {}", words.value("one", number(1)))),
            Becomes::Longer(more) => {
                let none = words.value("none", AttributeValue::L(vec![]));
                let more = words.value(attribute, more);
                set(format_args!("list_append(if_not_exists({name}, {none}), {more})"));
            }
            Becomes::Expiry(seconds) => {
                let retention = words.name(name::RETENTION);
                set(format_args!("{} + {retention}", words.value(attribute, seconds)));
            }
            Becomes::Gone => add(&mut remove, ", ", format_args!("{name}")),
        }
    }
    if remove.is_empty() { format!("SET {set}") } else { format!("SET {set} REMOVE {remove}") }
}

#[cfg(test)]
mod tests;
