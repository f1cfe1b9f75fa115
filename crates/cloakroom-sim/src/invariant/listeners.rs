//! Invariants of the events that a receiver gets.

use cloakroom_core::{CloudEvent, Job};

use super::heard::Heading;
use super::{Life, Watch, life};
use crate::names::short;

impl Watch {
    /// Records a committed change that concerns listeners.
    pub(crate) fn committed(&mut self, job: &Job) {
        let event = Heading::new(&CloudEvent::from_job(job, ""));
        self.heard
            .entry(life(job))
            .or_default()
            .committed
            .push(event);
    }

    /// Checks an event that the receiver accepts.
    pub(crate) fn received_event(&mut self, event: &CloudEvent) {
        let this = Heading::new(event);
        let mut all = self.heard.values_mut();
        let Some(heard) = all.find(|heard| heard.committed.contains(&this)) else {
            self.break_("I13 no event before its commit", || {
                format!("{} {} was never committed", event.id, event.kind)
            });
            return;
        };
        let at = |event: &Heading| heard.committed.iter().position(|known| known == event);
        let again = heard.accepted.contains(&this);
        let overtaken = heard
            .accepted
            .iter()
            .any(|accepted| at(accepted) > at(&this));
        if overtaken && !again {
            self.break_("I14 events of a job are in order", || {
                format!("{} came after a later one", this.id)
            });
            return;
        }
        heard.accepted.push(this);
        self.counts.heard += 1;
    }

    /// Checks that the receiver got the last event of each job with listeners, long enough after the last fault.
    pub(crate) fn all_heard(&mut self, alive: &[Job]) {
        let missing = alive
            .iter()
            .filter(|job| job.status.is_terminal())
            .find(|job| !self.was_heard(&life(job)));
        if let Some(job) = missing {
            let id = short(job.id);
            self.break_("I15 no terminal event is lost", || {
                format!("the end of {id} was not delivered")
            });
        }
    }

    fn was_heard(&self, life: &Life) -> bool {
        self.heard.get(life).is_none_or(|heard| {
            let last = heard.committed.last();
            last.is_none_or(|last| heard.accepted.contains(last))
        })
    }
}
