//! The ports, as one process has them: every call takes its time, and may go wrong.

mod objects;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use cloakroom_app::Host;
use cloakroom_app::ports::{
    Acceptance, Change, DeadLetterStore, JobStore, LONGEST_DELAY, PartsRecord, PortError, Queue,
    QueueState,
};
use cloakroom_core::transition::{Event, OUTAGE, SLACK};
use cloakroom_core::{Job, JobId, JobKey, Status, Tenant, Timestamp, Transition, UploadId};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::Mutation;
use crate::plan::{Dice, Service, Trouble};
use crate::world::{CYCLE, Lane, State, World};

/// The longest that a message is hidden for.
const LONGEST_HIDE: Duration = Duration::from_secs(42_300);

/// A process in one of its lives: it dies where the plan says so.
#[derive(Debug)]
pub struct Process {
    pub(crate) world: Arc<World>,
    pub(crate) name: String,
    /// Its number among all lives of all processes.
    pub(crate) life: u64,
    /// What its clock is wrong by, in milliseconds.
    skew: i64,
    dice: Mutex<Dice>,
    dead: CancellationToken,
}

impl Process {
    /// A process that begins its life. Its clock and its randomness follow from the plan and its name.
    pub fn start(world: &Arc<World>, name: impl Into<String>, nth: u64) -> Arc<Self> {
        let name = name.into();
        let purpose = name.bytes().fold(nth.wrapping_mul(31), |sum, byte| {
            sum.wrapping_mul(131).wrapping_add(byte.into())
        });
        let mut dice = Dice::new(world.plan.seed, purpose ^ 0x5eed);
        let skew = if world.plan.rate() == 0 {
            0
        } else {
            i64::try_from(dice.below(3000)).unwrap_or(0) - 1500
        };
        let life = world.number();
        Arc::new(Self {
            world: Arc::clone(world),
            name,
            life,
            skew,
            dice: Mutex::new(dice),
            dead: CancellationToken::new(),
        })
    }

    /// Does this while the process lives; `None` if it died.
    pub async fn live<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            () = self.dead.cancelled() => None,
            done = work => Some(done),
        }
    }

    /// Ends the process.
    pub fn die(&self) {
        self.dead.cancel();
    }

    /// Deletes a message, as the host of a worker does.
    pub(crate) async fn delete(&self, lane: Lane, receipt: &str) {
        let receipt = receipt.to_owned();
        let what = {
            let receipt = receipt.clone();
            move || format!("delete {receipt}")
        };
        // A message that is not deleted comes back, and finds its job over.
        let _ = self
            .call(Service::Queue, what, move |_, state| {
                state.delete(lane, &receipt);
            })
            .await;
    }

    async fn call<T: Send + 'static>(
        &self,
        service: Service,
        what: impl FnOnce() -> String + Send,
        effect: impl FnOnce(&World, &mut State) -> T + Send + 'static,
    ) -> Result<T, PortError> {
        let (n, trouble) = self.world.next_call(service);
        let effect = move |world: &World| {
            let done = effect(world, &mut world.state());
            world.stir();
            done
        };
        let lost = || PortError::Unavailable {
            service: "the world",
            reason: format!("trouble {n}"),
        };
        if !matches!(trouble, Trouble::None(_)) {
            let (name, what) = (&self.name, what());
            self.world
                .tell(|| format!("{name}: {what}: {trouble:?} (call {n})"));
        } else if self.world.plan.tell {
            let (name, what) = (&self.name, what());
            self.world.tell(|| format!("{name}: {what}"));
        }
        match trouble {
            Trouble::None(time) => {
                // Half on the way there, half on the way back.
                sleep(time / 2).await;
                let done = effect(&self.world);
                sleep(time / 2).await;
                Ok(done)
            }
            Trouble::Refused => {
                sleep(Duration::from_millis(5)).await;
                Err(lost())
            }
            Trouble::AnswerLost => {
                sleep(Duration::from_millis(5)).await;
                effect(&self.world);
                sleep(Duration::from_secs(9)).await;
                Err(lost())
            }
            Trouble::Late(time) => {
                let world = Arc::clone(&self.world);
                tokio::spawn(async move {
                    sleep(Duration::from_secs(9) + time).await;
                    effect(&world);
                });
                sleep(Duration::from_secs(9)).await;
                Err(lost())
            }
            Trouble::DiesBefore => {
                self.die();
                std::future::pending().await
            }
            Trouble::DiesAfter => {
                sleep(Duration::from_millis(5)).await;
                effect(&self.world);
                self.die();
                std::future::pending().await
            }
        }
    }

    async fn may_fail_to_renew(&self) -> Result<(), PortError> {
        let often = self.world.rate() > 0 && self.world.plan.loses_leases();
        if !often
            || !self
                .dice
                .lock()
                .expect("no simulation panics while it draws")
                .chance(800)
        {
            return Ok(());
        }
        self.world
            .tell(|| format!("{}: a renewal fails", self.name));
        sleep(Duration::from_millis(5)).await;
        Err(PortError::Unavailable {
            service: "the world",
            reason: "renewals fail".to_owned(),
        })
    }

    fn mutation(&self) -> Option<Mutation> {
        self.world.plan.mutation
    }

    fn key(&self, key: &JobKey) -> JobKey {
        if self.mutation() == Some(Mutation::NoTenant) {
            return JobKey {
                tenant: Tenant::default(),
                id: key.id,
            };
        }
        key.clone()
    }
}

impl Host for Process {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.world.now().as_millis() + self.skew)
    }

    fn random(&self) -> u128 {
        let mut dice = self
            .dice
            .lock()
            .expect("no simulation panics while it draws");
        (u128::from(dice.draw()) << 64) | u128::from(dice.draw())
    }
}

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
                // Nor is one promised that was sent again long after the job was ready: the sweeper counts from then.
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
                if alone
                    && event != Event::Lapse
                    && !crate::actors::may_fail(world.plan.seed, after.id)
                {
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

/// One queue, as a process has it.
#[derive(Debug)]
pub struct ProcessQueue(pub Arc<Process>, pub Lane);

#[async_trait]
impl Queue for ProcessQueue {
    async fn send(
        &self,
        _: &Tenant,
        body: String,
        delay: Duration,
        _: Option<&str>,
    ) -> Result<(), PortError> {
        let lane = self.1;
        self.0
            .call(
                Service::Queue,
                move || format!("send to {lane:?}"),
                move |world, state| state.send(lane, body, delay.min(LONGEST_DELAY), world.now()),
            )
            .await
    }

    async fn hide(&self, receipt: &str, time: Duration) -> Result<(), PortError> {
        let (lane, receipt) = (self.1, receipt.to_owned());
        if lane == Lane::Commands {
            self.0.may_fail_to_renew().await?;
        }
        let what = {
            let receipt = receipt.clone();
            move || format!("hide {receipt} for {} s", time.as_secs())
        };
        let for_nothing =
            lane == Lane::Commands && self.0.mutation() == Some(Mutation::HideForNothing);
        let time = if for_nothing { Duration::ZERO } else { time };
        self.0
            .call(Service::Queue, what, move |_, state| {
                state.hide(lane, &receipt, time.min(LONGEST_HIDE));
            })
            .await
    }

    async fn state(&self) -> Result<QueueState, PortError> {
        let impatient = self.0.mutation() == Some(Mutation::ImpatientSweeper);
        self.0
            .call(
                Service::Queue,
                || "ask for the queue's state".to_owned(),
                |_, _| (),
            )
            .await?;
        let backlog = self.0.world.backlog() && !impatient;
        Ok(QueueState {
            backlog,
            cycle: if impatient { Duration::ZERO } else { CYCLE },
        })
    }
}

#[async_trait]
impl DeadLetterStore for Process {
    async fn store(&self, key: &str, body: &str) -> Result<(), PortError> {
        let (key, body) = (key.to_owned(), body.to_owned());
        self.call(
            Service::Objects,
            || "store a dead letter".to_owned(),
            move |_, state| _ = state.dead_letters.insert(key, body),
        )
        .await
    }

    async fn list(&self, prefix: &str, after: Option<&str>) -> Result<Vec<String>, PortError> {
        let (prefix, after) = (prefix.to_owned(), after.map(ToOwned::to_owned));
        self.call(
            Service::Objects,
            || "list dead letters".to_owned(),
            move |_, state| {
                let keys = state
                    .dead_letters
                    .keys()
                    .filter(|key| key.starts_with(&prefix));
                keys.filter(|key| after.as_ref().is_none_or(|after| *key > after))
                    .cloned()
                    .collect()
            },
        )
        .await
    }

    async fn read(&self, key: &str) -> Result<Option<String>, PortError> {
        let key = key.to_owned();
        self.call(
            Service::Objects,
            || "read a dead letter".to_owned(),
            move |_, state| state.dead_letters.get(&key).cloned(),
        )
        .await
    }

    async fn remove(&self, key: &str) -> Result<(), PortError> {
        let key = key.to_owned();
        self.call(
            Service::Objects,
            || "remove a dead letter".to_owned(),
            move |_, state| _ = state.dead_letters.remove(&key),
        )
        .await
    }
}

/// The key of a result without the token of its lease (what a mutation makes of it), or of a payload without its digest.
pub(crate) fn without_token(key: &str) -> String {
    key.rsplit_once('/').map_or(key, |(job, _)| job).to_owned()
}

/// As much of an id as a story needs.
pub(crate) fn short(id: JobId) -> String {
    id.to_string()[..8].to_owned()
}
