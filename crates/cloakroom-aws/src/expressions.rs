//! The rules of a change, as DynamoDB's expressions: exactly `Guard::holds` and `Patch::apply`, and nothing of its own.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use cloakroom_core::{Guard, Patch, Status, Timestamp, Transition};

use crate::record::{
    OF_A_SUCCESS, RESERVED, VERSION, failure_attributes, lease_attributes, millis, name, number,
    percent, steps, success_attributes, text,
};

/// A conditional update.
#[derive(Debug)]
pub(crate) struct Update {
    pub(crate) condition: String,
    pub(crate) changes: String,
    pub(crate) words: Words,
}

/// What the placeholders of expressions stand for. A name has one where it is a reserved word, and a value only one however
/// often it is said, its number: they are escaped, digested, signed and sent with every call.
#[derive(Debug, Default)]
pub(crate) struct Words {
    names: Vec<&'static str>,
    /// With what is said for each.
    values: Vec<(String, AttributeValue)>,
}

/// What is said for the first values: as many as most expressions have, so that no number is formatted for them.
const SAID: [&str; 16] = [
    ":0", ":1", ":2", ":3", ":4", ":5", ":6", ":7", ":8", ":9", ":10", ":11", ":12", ":13", ":14",
    ":15",
];

impl Words {
    /// The names, if there are any (DynamoDB takes no empty map), and the values.
    pub(crate) fn into_parts(
        self,
    ) -> (
        Option<HashMap<String, String>>,
        HashMap<String, AttributeValue>,
    ) {
        let names = self
            .names
            .into_iter()
            .map(|name| (["#", name].concat(), name.to_owned()));
        let names = names.collect::<HashMap<_, _>>();
        (
            (!names.is_empty()).then_some(names),
            self.values.into_iter().collect(),
        )
    }
}

/// An expression while it is written.
pub(crate) struct Expression<'a> {
    text: String,
    words: &'a mut Words,
}

impl<'a> Expression<'a> {
    pub(crate) fn new(words: &'a mut Words) -> Self {
        // Longer than any that there is, as growing takes longer than writing.
        Self {
            text: String::with_capacity(1024),
            words,
        }
    }

    pub(crate) fn text(&mut self, text: &str) -> &mut Self {
        self.text.push_str(text);
        self
    }

    pub(crate) fn name(&mut self, attribute: &'static str) -> &mut Self {
        if RESERVED.contains(&attribute) {
            if !self.words.names.contains(&attribute) {
                self.words.names.push(attribute);
            }
            self.text("#");
        }
        self.text(attribute)
    }

    pub(crate) fn value(&mut self, value: AttributeValue) -> &mut Self {
        let values = &mut self.words.values;
        let number = values
            .iter()
            .position(|(_, said)| *said == value)
            .unwrap_or(values.len());
        if number == values.len() {
            let said = SAID
                .get(number)
                .map_or_else(|| format!(":{number}"), |said| (*said).to_owned());
            values.push((said, value));
        }
        self.text.push_str(&values[number].0);
        self
    }

    /// That the status is one of these.
    pub(crate) fn status_is_one_of(
        &mut self,
        statuses: impl IntoIterator<Item = Status>,
    ) -> &mut Self {
        self.name(name::STATUS);
        let mut before = " IN (";
        for status in statuses {
            self.text(before).value(text(status.as_str()));
            before = ", ";
        }
        self.text(")")
    }

    fn is(&mut self, attribute: &'static str, how: &str, value: AttributeValue) -> &mut Self {
        self.name(attribute).text(how).value(value)
    }

    fn and_is(&mut self, attribute: &'static str, how: &str, value: AttributeValue) {
        self.text(" AND ").is(attribute, how, value);
    }

    /// That there is no record, or one of which this is so.
    pub(crate) fn none_or(
        &mut self,
        attribute: &'static str,
        how: &str,
        value: AttributeValue,
    ) -> &mut Self {
        self.text("attribute_not_exists(")
            .name(name::PK)
            .text(") OR ")
            .is(attribute, how, value)
    }

    /// What was written; it begins anew.
    pub(crate) fn written(&mut self) -> String {
        std::mem::take(&mut self.text)
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
    Update {
        condition,
        changes,
        words,
    }
}

fn condition(guard: &Guard, words: &mut Words) -> String {
    let mut condition = Expression::new(words);
    condition.text("attribute_exists(").name(name::PK).text(")");
    // Not the guard's: a later program's record is not changed by a program that can't read it.
    condition.and_is(name::V, " <= ", number(VERSION));
    condition.and_is(name::EXPIRES_AT, " > ", second(guard.alive_at));
    if guard.statuses.is_empty() {
        // None of no statuses: never. DynamoDB takes no empty list.
        condition
            .text(" AND attribute_not_exists(")
            .name(name::PK)
            .text(")");
    } else {
        condition
            .text(" AND ")
            .status_is_one_of(guard.statuses.iter().copied());
    }
    if let Some(at) = guard.created_at {
        condition.and_is(name::CREATED_AT, " = ", millis(at));
    }
    if let Some(token) = guard.token {
        condition.and_is(name::LEASE_TOKEN, " = ", text(token.to_string()));
    }
    if let Some(by) = guard.ready_by {
        condition.and_is(name::READY_AT, " <= ", millis(by));
    }
    if let Some(max) = guard.attempts_below {
        condition.and_is(name::ATTEMPT, " < ", number(max));
    }
    if let Some(version) = guard.version {
        condition.and_is(name::VERSION, " = ", number(version));
    }
    condition.written()
}

/// Every attribute that tells of attempts, but their number.
const OF_THE_ATTEMPTS: [&str; 12] = [
    name::LEASE_TOKEN,
    name::LEASE_MESSAGE,
    name::LEASE_ENDS_AT,
    name::LEASE_ALONE,
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
    /// So many less.
    Less(AttributeValue),
    /// A list with this list at its end.
    Longer(AttributeValue),
    /// So many seconds, and the job's retention.
    Expiry(AttributeValue),
}

/// What becomes of which attributes; nothing, of those that go.
#[derive(Default)]
struct Assignments(Vec<(&'static str, Option<Becomes>)>);

impl Assignments {
    /// What comes later in the patch's order takes the place of what came before.
    fn set(&mut self, attribute: &'static str, becomes: impl Into<Option<Becomes>>) {
        let becomes = becomes.into();
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
            self.set(name, None);
        }
    }
}

fn assignments(patch: &Patch) -> Assignments {
    let mut all = Assignments::default();
    all.set(name::VERSION, Becomes::OneMore);
    all.set(name::UPDATED_AT, Becomes::Value(millis(patch.updated_at)));
    all.set(
        name::EXPIRES_AT,
        Becomes::Expiry(number(patch.kept_from().as_seconds_ceil())),
    );
    if let Some(status) = patch.status {
        all.set(name::STATUS, Becomes::Value(text(status.as_str())));
    }
    if let Some(kept) = &patch.anew {
        all.take_away(&OF_THE_ATTEMPTS);
        all.set(name::ATTEMPT, Becomes::Value(number(0)));
        all.set(
            name::HISTORY,
            Becomes::Value(steps(kept.iter().chain(&patch.step))),
        );
    } else if let Some(kept) = &patch.kept {
        all.set(
            name::HISTORY,
            Becomes::Value(steps(kept.iter().chain(&patch.step))),
        );
    } else if let Some(step) = &patch.step {
        all.set(name::HISTORY, Becomes::Longer(steps([step])));
    }
    if let Some(lease) = &patch.begin {
        all.take_away(&[name::LEASE_ENDS_AT, name::LEASE_ALONE]);
        all.set_all(lease_attributes(lease));
        all.set(name::ATTEMPT, Becomes::OneMore);
        all.set(
            name::STARTED_AT,
            Becomes::ValueOnce(millis(patch.updated_at)),
        );
        all.take_away(&[
            name::PROGRESS,
            name::PROGRESS_MESSAGE,
            name::ESTIMATED_FINISH_AT,
        ]);
    }
    if patch.uncounted > 0 {
        all.set(name::ATTEMPT, Becomes::Less(number(patch.uncounted)));
    }
    if let Some(at) = patch.ready_at {
        all.set(name::READY_AT, Becomes::Value(millis(at)));
    }
    if let Some((progress, estimate)) = &patch.progress {
        all.set(name::PROGRESS, Becomes::Value(percent(progress.percent)));
        all.set(
            name::PROGRESS_MESSAGE,
            progress
                .message
                .as_ref()
                .map(|message| Becomes::Value(text(message))),
        );
        all.set(
            name::ESTIMATED_FINISH_AT,
            estimate.map(|at| Becomes::Value(millis(at))),
        );
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

fn render(Assignments(all): Assignments, words: &mut Words) -> String {
    let mut changes = Expression::new(words);
    let mut gone = vec![];
    let mut before = "SET ";
    for (attribute, becomes) in all {
        let Some(becomes) = becomes else {
            gone.push(attribute);
            continue;
        };
        changes.text(before).name(attribute).text(" = ");
        before = ", ";
        match becomes {
            Becomes::Value(value) => changes.value(value),
            Becomes::ValueOnce(value) => changes
                .text("if_not_exists(")
                .name(attribute)
                .text(", ")
                .value(value)
                .text(")"),
            Becomes::OneMore => changes.name(attribute).text(" + ").value(number(1)),
            Becomes::Less(count) => changes.name(attribute).text(" - ").value(count),
            Becomes::Longer(more) => {
                changes
                    .text("list_append(if_not_exists(")
                    .name(attribute)
                    .text(", ");
                changes
                    .value(AttributeValue::L(vec![]))
                    .text("), ")
                    .value(more)
                    .text(")")
            }
            Becomes::Expiry(seconds) => changes.value(seconds).text(" + ").name(name::RETENTION),
        };
    }
    let mut before = " REMOVE ";
    for attribute in gone {
        changes.text(before).name(attribute);
        before = ", ";
    }
    changes.written()
}

#[cfg(test)]
mod tests;
