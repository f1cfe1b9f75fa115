//! Transitions as DynamoDB expressions. They implement exactly `Guard::holds` and `Patch::apply`, without further
//! rules.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use cloakroom_core::{Guard, Patch, Status, Timestamp, Transition};

use crate::record::{
    RESERVED, SUCCESS_ATTRIBUTES, VERSION, failure_attributes, lease_attributes, millis, name,
    number, percent, steps, success_attributes, text,
};

/// A conditional update.
#[derive(Debug)]
pub(crate) struct Update {
    pub(crate) condition: String,
    pub(crate) changes: String,
    pub(crate) placeholders: Placeholders,
}

/// Placeholders of expressions, with their names and values. Only a reserved word needs a name placeholder. Equal
/// values share a placeholder, because placeholders are escaped, hashed, signed and sent with every call.
#[derive(Debug, Default)]
pub(crate) struct Placeholders {
    names: Vec<&'static str>,
    /// Values with their placeholders.
    values: Vec<(String, AttributeValue)>,
}

/// Placeholders of the first values. They suffice for most expressions, so that no number has to be formatted.
const VALUE_PLACEHOLDERS: [&str; 16] = [
    ":0", ":1", ":2", ":3", ":4", ":5", ":6", ":7", ":8", ":9", ":10", ":11", ":12", ":13", ":14",
    ":15",
];

impl Placeholders {
    /// Returns the names, if there are any (DynamoDB accepts no empty map), and the values.
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

/// An expression that is being written.
pub(crate) struct Expression<'a> {
    text: String,
    placeholders: &'a mut Placeholders,
}

impl<'a> Expression<'a> {
    pub(crate) fn new(placeholders: &'a mut Placeholders) -> Self {
        // Longer than any expression, because reallocating takes longer than writing.
        Self {
            text: String::with_capacity(1024),
            placeholders,
        }
    }

    pub(crate) fn text(&mut self, text: &str) -> &mut Self {
        self.text.push_str(text);
        self
    }

    pub(crate) fn name(&mut self, attribute: &'static str) -> &mut Self {
        if RESERVED.contains(&attribute) {
            if !self.placeholders.names.contains(&attribute) {
                self.placeholders.names.push(attribute);
            }
            self.text("#");
        }
        self.text(attribute)
    }

    pub(crate) fn value(&mut self, value: AttributeValue) -> &mut Self {
        let values = &mut self.placeholders.values;
        let number = values
            .iter()
            .position(|(_, placeholder)| *placeholder == value)
            .unwrap_or(values.len());
        if number == values.len() {
            let placeholder = VALUE_PLACEHOLDERS.get(number).map_or_else(
                || format!(":{number}"),
                |placeholder| (*placeholder).to_owned(),
            );
            values.push((placeholder, value));
        }
        self.text.push_str(&values[number].0);
        self
    }

    /// Appends `status IN (…)`.
    pub(crate) fn status_in(&mut self, statuses: impl IntoIterator<Item = Status>) -> &mut Self {
        self.name(name::STATUS);
        let mut before = " IN (";
        for status in statuses {
            self.text(before).value(text(status.as_str()));
            before = ", ";
        }
        self.text(")")
    }

    fn compare(
        &mut self,
        attribute: &'static str,
        operator: &str,
        value: AttributeValue,
    ) -> &mut Self {
        self.name(attribute).text(operator).value(value)
    }

    fn and_compare(&mut self, attribute: &'static str, operator: &str, value: AttributeValue) {
        self.text(" AND ").compare(attribute, operator, value);
    }

    /// Appends `attribute_not_exists(pk) OR <comparison>`.
    pub(crate) fn absent_or(
        &mut self,
        attribute: &'static str,
        operator: &str,
        value: AttributeValue,
    ) -> &mut Self {
        self.text("attribute_not_exists(")
            .name(name::PK)
            .text(") OR ")
            .compare(attribute, operator, value)
    }

    /// Returns the text, and starts the next expression.
    pub(crate) fn finish(&mut self) -> String {
        std::mem::take(&mut self.text)
    }
}

/// Returns the second that contains a time. `expires_at` is a whole second, so it is after the time if and only if it
/// is after this second. This implements `Job::is_alive` without fractions.
pub(crate) fn expiry_second(time: Timestamp) -> AttributeValue {
    number(time.as_millis().div_euclid(1000))
}

/// Converts a transition to one update.
pub(crate) fn update(transition: &Transition) -> Update {
    let mut placeholders = Placeholders::default();
    let condition = condition(&transition.guard, &mut placeholders);
    let changes = render(assignments(&transition.patch), &mut placeholders);
    Update {
        condition,
        changes,
        placeholders,
    }
}

fn condition(guard: &Guard, placeholders: &mut Placeholders) -> String {
    let mut condition = Expression::new(placeholders);
    condition.text("attribute_exists(").name(name::PK).text(")");
    // Not part of the guard: this version must not change a record that a later version wrote.
    condition.and_compare(name::V, " <= ", number(VERSION));
    condition.and_compare(name::EXPIRES_AT, " > ", expiry_second(guard.alive_at));
    if guard.statuses.is_empty() {
        // An empty list of statuses never matches. DynamoDB does not accept an empty list.
        condition
            .text(" AND attribute_not_exists(")
            .name(name::PK)
            .text(")");
    } else {
        condition
            .text(" AND ")
            .status_in(guard.statuses.iter().copied());
    }
    if let Some(at) = guard.created_at {
        condition.and_compare(name::CREATED_AT, " = ", millis(at));
    }
    if let Some(token) = guard.token {
        condition.and_compare(name::LEASE_TOKEN, " = ", text(token.to_string()));
    }
    if let Some(by) = guard.ready_by {
        condition.and_compare(name::READY_AT, " <= ", millis(by));
    }
    if let Some(max) = guard.attempts_below {
        condition.and_compare(name::ATTEMPT, " < ", number(max));
    }
    if let Some(version) = guard.version {
        condition.and_compare(name::VERSION, " = ", number(version));
    }
    condition.finish()
}

/// Attributes of attempts, except their number.
const ATTEMPT_ATTRIBUTES: [&str; 12] = [
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

/// New value of an attribute.
enum Assignment {
    /// Sets the value.
    Set(AttributeValue),
    /// Sets the value, unless the attribute exists.
    SetIfMissing(AttributeValue),
    /// Adds one to the number.
    Increment,
    /// Subtracts this number.
    Subtract(AttributeValue),
    /// Appends this list.
    Append(AttributeValue),
    /// Sets the sum of these seconds and the job's retention.
    SetExpiry(AttributeValue),
}

/// Assignments by attribute. `None` removes the attribute.
#[derive(Default)]
struct Assignments(Vec<(&'static str, Option<Assignment>)>);

impl Assignments {
    /// Assigns an attribute. A later assignment replaces an earlier one.
    fn set(&mut self, attribute: &'static str, assignment: impl Into<Option<Assignment>>) {
        let assignment = assignment.into();
        match self.0.iter_mut().find(|(name, _)| *name == attribute) {
            Some((_, before)) => *before = assignment,
            None => self.0.push((attribute, assignment)),
        }
    }

    fn set_all(&mut self, values: impl IntoIterator<Item = (&'static str, AttributeValue)>) {
        for (name, value) in values {
            self.set(name, Assignment::Set(value));
        }
    }

    fn remove(&mut self, attributes: &[&'static str]) {
        for name in attributes {
            self.set(name, None);
        }
    }
}

fn assignments(patch: &Patch) -> Assignments {
    let mut all = Assignments::default();
    all.set(name::VERSION, Assignment::Increment);
    all.set(name::UPDATED_AT, Assignment::Set(millis(patch.updated_at)));
    all.set(
        name::EXPIRES_AT,
        Assignment::SetExpiry(number(patch.kept_from().as_seconds_ceil())),
    );
    if let Some(status) = patch.status {
        all.set(name::STATUS, Assignment::Set(text(status.as_str())));
    }
    assign_history(&mut all, patch);
    if let Some(lease) = &patch.begin {
        all.remove(&[name::LEASE_ENDS_AT, name::LEASE_ALONE]);
        all.set_all(lease_attributes(lease));
        all.set(name::ATTEMPT, Assignment::Increment);
        all.set(
            name::STARTED_AT,
            Assignment::SetIfMissing(millis(patch.updated_at)),
        );
        all.remove(&[
            name::PROGRESS,
            name::PROGRESS_MESSAGE,
            name::ESTIMATED_FINISH_AT,
        ]);
    }
    if patch.uncounted > 0 {
        all.set(name::ATTEMPT, Assignment::Subtract(number(patch.uncounted)));
    }
    if let Some(at) = patch.ready_at {
        all.set(name::READY_AT, Assignment::Set(millis(at)));
    }
    assign_progress(&mut all, patch);
    if let Some(at) = patch.finished_at {
        all.set(name::FINISHED_AT, Assignment::Set(millis(at)));
    }
    if let Some(success) = &patch.success {
        all.remove(&SUCCESS_ATTRIBUTES);
        all.set_all(success_attributes(success));
    }
    if let Some(failure) = &patch.failure {
        all.set_all(failure_attributes(failure));
    }
    all
}

fn assign_history(all: &mut Assignments, patch: &Patch) {
    if let Some(kept) = &patch.anew {
        all.remove(&ATTEMPT_ATTRIBUTES);
        all.set(name::ATTEMPT, Assignment::Set(number(0)));
        all.set(
            name::HISTORY,
            Assignment::Set(steps(kept.iter().chain(&patch.step))),
        );
    } else if let Some(kept) = &patch.kept {
        all.set(
            name::HISTORY,
            Assignment::Set(steps(kept.iter().chain(&patch.step))),
        );
    } else if let Some(step) = &patch.step {
        all.set(name::HISTORY, Assignment::Append(steps([step])));
    }
}

fn assign_progress(all: &mut Assignments, patch: &Patch) {
    if let Some((progress, estimate)) = &patch.progress {
        all.set(name::PROGRESS, Assignment::Set(percent(progress.percent)));
        all.set(
            name::PROGRESS_MESSAGE,
            progress
                .message
                .as_ref()
                .map(|message| Assignment::Set(text(message))),
        );
        all.set(
            name::ESTIMATED_FINISH_AT,
            estimate.map(|at| Assignment::Set(millis(at))),
        );
    }
}

fn render(Assignments(all): Assignments, placeholders: &mut Placeholders) -> String {
    let mut changes = Expression::new(placeholders);
    let mut gone = vec![];
    let mut before = "SET ";
    for (attribute, assignment) in all {
        let Some(assignment) = assignment else {
            gone.push(attribute);
            continue;
        };
        changes.text(before).name(attribute).text(" = ");
        before = ", ";
        match assignment {
            Assignment::Set(value) => changes.value(value),
            Assignment::SetIfMissing(value) => changes
                .text("if_not_exists(")
                .name(attribute)
                .text(", ")
                .value(value)
                .text(")"),
            Assignment::Increment => changes.name(attribute).text(" + ").value(number(1)),
            Assignment::Subtract(count) => changes.name(attribute).text(" - ").value(count),
            Assignment::Append(more) => {
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
            Assignment::SetExpiry(seconds) => {
                changes.value(seconds).text(" + ").name(name::RETENTION)
            }
        };
    }
    let mut before = " REMOVE ";
    for attribute in gone {
        changes.text(before).name(attribute);
        before = ", ";
    }
    changes.finish()
}

#[cfg(test)]
mod tests;
