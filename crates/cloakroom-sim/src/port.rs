//! Ports of one process. Each call takes some time, and may fail.

mod dead_letters;
mod jobs;
mod listeners;
mod objects;
mod queue;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use cloakroom_app::meter::LogMeter;
use cloakroom_app::ports::PortError;
use cloakroom_app::{Host, Shared};
use cloakroom_core::{JobKey, Tenant, Timestamp};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::Mutation;
use crate::plan::{Dice, Service, Trouble};
use crate::world::{Lane, State, World};

pub use queue::ProcessQueue;

/// One life of a process. It crashes when the plan says so.
#[derive(Debug)]
pub struct Process {
    pub(crate) world: Arc<World>,
    pub(crate) name: String,
    /// Number of this life among all lives of all processes.
    pub(crate) life: u64,
    /// Error of the clock, in milliseconds.
    skew: i64,
    dice: Mutex<Dice>,
    dead: CancellationToken,
}

impl Process {
    /// Starts a process. Its clock and its randomness follow from the plan and its name.
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

    /// Runs `work` while the process lives. Returns `None` if it crashed.
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

    /// Deletes a message, like the host of a worker.
    pub(crate) async fn delete(&self, lane: Lane, receipt: &str) {
        let receipt = receipt.to_owned();
        let what = {
            let receipt = receipt.clone();
            move || format!("delete {receipt}")
        };
        // A message that is not deleted becomes visible again, and finds its job ended.
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
                // Half of the time before the effect, and half after it.
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

/// Returns the ports that all use cases of a process share.
pub(crate) fn shared(process: &Arc<Process>) -> Shared {
    Shared {
        store: process.clone(),
        host: process.clone(),
        meter: Arc::new(LogMeter),
    }
}
