//! Table of jobs of a process.

use std::time::Duration;

use async_trait::async_trait;
use cloakroom_app::Host as _;
use cloakroom_app::ports::{Acceptance, Change, JobStore, PartsRecord, PortError};
use cloakroom_core::transition::{Event, OUTAGE, SLACK};
use cloakroom_core::{Job, JobId, JobKey, Status, Tenant, Timestamp, Transition, UploadId};

use super::Process;
use crate::Mutation;
use crate::attempts::may_fail;
use crate::names::short;
use crate::plan::Service;

#[async_trait]
impl JobStore for Process {
    async fn accept(&self, job: &Job) -> Result<Acceptance, PortError> {
        let (job, key, mutation) = (job.clone(), self.key(&job.key()), self.mutation());
        let what = {
            let id = job.id;
            move || format!("accept {}", short(id))
        };
        self.call(Service::Table, what, move |world, state| {
            let alive = |existing: &Job| match mutation {
                Some(Mutation::TrustTheTimeToLive) => true,
                Some(Mutation::AcceptOver) => false,
                _ => existing.is_alive(job.created_at),
            };
            if let Some(existing) = state.jobs.get(&key).filter(|existing| alive(existing)) {
                return Acceptance::Exists(Box::new(existing.clone()));
            }
            let before = state.jobs.get(&key).cloned();
            state.watch.accepted(before.as_ref(), &job, world.now());
            state.stream.push_back(key.clone());
            state.changed(&job);
            state.jobs.insert(key, job);
            Acceptance::Created
        })
        .await
    }

    async fn change(&self, key: &JobKey, transition: &Transition) -> Result<Change, PortError> {
        let (key, life, mut transition) = (self.key(key), self.life, transition.clone());
        let (of, lost_key) = (transition.guard.created_at, key.clone());
        if let Some(mutation) = self.mutation() {
            mutation.change(&mut transition);
        }
        let mutation = self.mutation();
        let event = transition
            .patch
            .step
            .as_ref()
            .map_or(Event::Renew, |step| step.event);
        if event == Event::Renew {
            self.may_fail_to_renew().await?;
        }
        let what = {
            let id = key.id;
            move || format!("{} {}", event.as_str(), short(id))
        };
        let change = self
            .call(Service::Table, what, move |world, state| {
                let found = state.jobs.get(&key).cloned();
                let Some(mut after) = found.as_ref().and_then(|job| transition.apply(job)) else {
                    return Change::Refused(found.map(Box::new));
                };
                let before = found.expect("it was changed");
                if mutation == Some(Mutation::NeverKeepLonger) {
                    after.expires_at = before.deadline();
                }
                if mutation == Some(Mutation::DropThePayload) && event == Event::Claim {
                    let prefix = format!("payloads/{}/{}", key.tenant, key.id);
                    state
                        .objects
                        .retain(|object, _| !object.starts_with(&prefix));
                }
                // A message that was sent again long after the job was ready does not count, because the sweeper counts
                // from that time.
                let latest = before.ready_at.after(SLACK);
                let waits = state
                    .commands_of(&before)
                    .any(|message| !message.held && message.sent_at <= latest);
                if of.is_some_and(|of| of != before.created_at) {
                    state.watch.break_("I4 its own incarnation", || {
                        format!("{} was an earlier one's", short(key.id))
                    });
                }
                state
                    .watch
                    .changed(&before, &after, event, life, waits, world.now());
                let alone = world.plan.rate() == 0 && world.plan.outage().is_some();
                if alone && event != Event::Lapse && !may_fail(world.plan.seed, after.id) {
                    state.watch.failed_in_an_outage(&after, event);
                }
                let calm = world.plan.rate() == 0 && world.plan.outage().is_none();
                if calm && !world.plan.poisons(after.id) {
                    state.watch.killed_by_another(&after, event);
                }
                if calm && after.status.is_terminal() {
                    let receipts = state
                        .commands_of(&before)
                        .map(|message| message.receive_count)
                        .max()
                        .unwrap_or(0);
                    state.watch.received(&after, receipts);
                }
                if after.status == Status::Accepted {
                    state.stream.push_back(key.clone());
                }
                if event != Event::Renew || after.progress != before.progress {
                    state.changed(&after);
                }
                state.jobs.insert(key, after.clone());
                Change::Made(Box::new(after))
            })
            .await?;
        if event == Event::Renew
            && let Change::Refused(found) = &change
        {
            self.world
                .state()
                .watch
                .lease_lost(life, lost_key, self.world.now());
            if let (Some(Mutation::IgnoreALostLease), Some(job)) = (mutation, found) {
                return Ok(Change::Made(job.clone()));
            }
        }
        Ok(change)
    }

    async fn load(&self, key: &JobKey) -> Result<Option<Job>, PortError> {
        let (key, mutation) = (self.key(key), self.mutation());
        let impatient = mutation == Some(Mutation::ImpatientSweeper) && self.name == "sweeper";
        let what = {
            let id = key.id;
            move || format!("load {}", short(id))
        };
        self.call(Service::Table, what, move |_, state| {
            let mut job = state.jobs.get(&key).cloned();
            if let Some(job) = job
                .as_mut()
                .filter(|_| mutation == Some(Mutation::TrustTheTimeToLive))
            {
                job.expires_at = job.expires_at.after(Duration::from_secs(1_000_000));
            }
            if let Some(job) = job.as_mut().filter(|_| impatient) {
                job.ready_at = job.ready_at.before(OUTAGE + SLACK);
            }
            job
        })
        .await
    }

    async fn take_upload(
        &self,
        tenant: &Tenant,
        upload: UploadId,
        job: JobId,
        until: Timestamp,
    ) -> Result<bool, PortError> {
        let (key, anyones) = (
            (tenant.clone(), upload),
            self.mutation() == Some(Mutation::TakeAnyUpload),
        );
        let forgetful = self.mutation() == Some(Mutation::ForgetUploads);
        let until = if forgetful {
            self.now().after(Duration::from_secs(3600))
        } else {
            until
        };
        let what = move || format!("take an upload for {}", short(job));
        self.call(Service::Table, what, move |_, state| {
            let free = anyones
                || state
                    .uploads
                    .get(&key)
                    .is_none_or(|(taker, _)| *taker == job);
            if free {
                state.uploads.insert(key, (job, until));
            }
            free
        })
        .await
    }

    async fn keep_upload(&self, upload: &PartsRecord) -> Result<(), PortError> {
        let (key, upload) = ((upload.tenant.clone(), upload.id), upload.clone());
        self.call(
            Service::Table,
            || "keep an upload".to_owned(),
            move |_, state| _ = state.records.insert(key, upload),
        )
        .await
    }

    async fn upload(
        &self,
        tenant: &Tenant,
        upload: UploadId,
    ) -> Result<Option<PartsRecord>, PortError> {
        let key = (tenant.clone(), upload);
        self.call(
            Service::Table,
            || "load an upload".to_owned(),
            move |_, state| state.records.get(&key).cloned(),
        )
        .await
    }
}
