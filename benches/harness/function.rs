//! Measurements of a function: its start, and its invocations.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::aws::Counts;
use crate::events;
use crate::place::Place;
use crate::process::Function;
use crate::statistics::median;

/// Number of messages in a batch.
pub(crate) const BATCH: usize = 10;

/// Kind of function.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Hello,
    Submit,
    Worker,
    Status,
}

impl Kind {
    /// All kinds, in the order in which a job uses them.
    pub(crate) const ALL: [Self; 4] = [Self::Hello, Self::Submit, Self::Worker, Self::Status];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Hello => "hello",
            Self::Submit => "submit",
            Self::Worker => "worker",
            Self::Status => "status",
        }
    }
}

/// Author of the function: the baseline, or Cloakroom.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Maker {
    Floor,
    Ours,
}

impl Maker {
    pub(crate) fn program(self, kind: Kind) -> Option<String> {
        match (self, kind) {
            (Self::Floor, kind) => Some(format!("floor-{}", kind.name())),
            (Self::Ours, Kind::Hello) => None,
            (Self::Ours, kind) => Some(kind.name().to_owned()),
        }
    }
}

/// Measurements of one process. Times in microseconds, memory in KiB.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sample {
    pub(crate) start: f64,
    pub(crate) start_cpu: f64,
    pub(crate) first: f64,
    pub(crate) wall: f64,
    pub(crate) cpu: f64,
    pub(crate) memory: f64,
    pub(crate) anonymous_memory: f64,
    /// Time to the first `next` with TLS; after it the duration of the first invocation, and the CPU time of both.
    pub(crate) secure_start: f64,
    pub(crate) secure_first: f64,
    pub(crate) secure_cpu: f64,
    pub(crate) counts: Counts,
    /// Number of invocations in `counts`.
    pub(crate) counted: usize,
}

pub(crate) type Samples = BTreeMap<(Kind, Maker), Vec<Sample>>;

/// Returns the median of a field over all processes.
pub(crate) fn of(samples: &[Sample], field: impl Fn(&Sample) -> f64) -> f64 {
    median(samples.iter().map(field))
}

/// Number of warm-up blocks and of measured blocks of invocations. Blocks of both processes alternate, so that other
/// load of the machine affects both.
const BLOCKS: (usize, usize) = (4, 10);

/// Number of starts of a program per round, because the variation between starts exceeds the difference between
/// programs.
const STARTS: usize = 8;

/// Measures all functions, alternating between both authors.
pub(crate) fn measure(place: &Place, rounds: usize, invocations: usize) -> Samples {
    copy_all(place);
    assert_eq!(
        calls_of_large_jobs(place, Maker::Floor),
        calls_of_large_jobs(place, Maker::Ours)
    );
    let mut samples = Samples::new();
    for round in 0..rounds {
        copy_all(place);
        let mut messages: BTreeMap<Maker, Vec<String>> = BTreeMap::new();
        for kind in Kind::ALL {
            let mut pair = vec![];
            for maker in [Maker::Floor, Maker::Ours] {
                let Some(program) = maker.program(kind) else {
                    continue;
                };
                let events = events(kind, messages.entry(maker).or_default(), invocations);
                let function = place.start(&program, false);
                pair.push(Pair {
                    maker,
                    program,
                    function,
                    events,
                    sample: Sample::default(),
                    blocks: vec![],
                });
            }
            let mut starts: BTreeMap<Maker, Vec<Sample>> = BTreeMap::new();
            for turn in 0..STARTS {
                for one in in_order(&mut pair, turn) {
                    starts.entry(one.maker).or_default().push(start(
                        place,
                        &one.program,
                        &one.events[0],
                    ));
                }
            }
            for one in &mut pair {
                one.sample = usual(&starts[&one.maker]);
            }
            for block in 0..BLOCKS.0 + BLOCKS.1 {
                for one in in_order(&mut pair, block) {
                    one.run_block(place, block);
                    if kind == Kind::Submit {
                        messages
                            .entry(one.maker)
                            .or_default()
                            .extend(place.aws.messages());
                    }
                }
            }
            for one in pair {
                samples
                    .entry((kind, one.maker))
                    .or_default()
                    .push(one.done());
            }
        }
        eprintln!("round {} of {rounds}", round + 1);
    }
    samples
}

fn copy_all(place: &Place) {
    for kind in Kind::ALL {
        for program in [Maker::Floor, Maker::Ours]
            .into_iter()
            .filter_map(|maker| maker.program(kind))
        {
            place.copy(&program);
        }
    }
}

/// Alternates the order of both, because the first one leaves the machine in another state.
fn in_order(pair: &mut [Pair], turn: usize) -> Vec<&mut Pair> {
    let mut order: Vec<_> = pair.iter_mut().collect();
    if turn % 2 == 1 {
        order.reverse();
    }
    order
}

/// One of two processes that are measured alternately.
struct Pair {
    maker: Maker,
    program: String,
    function: Function,
    events: Vec<Vec<u8>>,
    sample: Sample,
    blocks: Vec<(f64, f64)>,
}

impl Pair {
    fn run_block(&mut self, place: &Place, block: usize) {
        let length = self.events.len() / (BLOCKS.0 + BLOCKS.1);
        let events = &self.events[block * length..][..length];
        place.aws.counts();
        let before = self.function.cpu();
        let walls = run(&mut self.function, events);
        if block >= BLOCKS.0 {
            let cpu = micros(self.function.cpu().saturating_sub(before)) / count(length);
            self.blocks
                .push((cpu, median(walls.into_iter().map(micros))));
            (self.sample.counts, self.sample.counted) = (place.aws.counts(), length);
        }
    }

    fn done(mut self) -> Sample {
        self.sample.cpu = median(self.blocks.iter().map(|(cpu, _)| *cpu));
        self.sample.wall = median(self.blocks.iter().map(|(_, wall)| *wall));
        self.sample.memory = kib(self.function.peak_memory());
        self.sample.anonymous_memory = kib(self.function.anonymous_memory());
        self.sample
    }
}

/// Measures starts with and without TLS.
fn start(place: &Place, program: &str, event: &[u8]) -> Sample {
    let mut sample = Sample::default();
    let mut function = place.start(program, true);
    sample.secure_start = micros(function.start);
    sample.secure_first = micros(function.invoke(event).1);
    sample.secure_cpu = micros(function.cpu());
    drop(function);
    let mut function = place.start(program, false);
    sample.start = micros(function.start);
    sample.start_cpu = micros(function.cpu());
    sample.first = micros(function.invoke(event).1);
    sample
}

/// Returns the medians of several starts.
fn usual(starts: &[Sample]) -> Sample {
    Sample {
        start: of(starts, |it| it.start),
        start_cpu: of(starts, |it| it.start_cpu),
        first: of(starts, |it| it.first),
        secure_start: of(starts, |it| it.secure_start),
        secure_first: of(starts, |it| it.secure_first),
        secure_cpu: of(starts, |it| it.secure_cpu),
        ..Sample::default()
    }
}

/// Returns the calls for a job whose result is in the bucket, and for a submission whose payload is there.
fn calls_of_large_jobs(place: &Place, maker: Maker) -> BTreeMap<String, usize> {
    let program = |kind| place.start(&maker.program(kind).expect("both have one"), false);
    place.aws.messages();
    place.aws.counts();
    for length in [200_000, 600_000] {
        let body = format!(r#"{{"result":"{}"}}"#, "x".repeat(length));
        let key = format!("of-{length}-bytes");
        program(Kind::Submit).invoke(&events::request(
            "POST",
            "/commands/diagnostic.run",
            Some(&key),
            Some(&body),
        ));
    }
    let message = place.aws.messages().swap_remove(0);
    program(Kind::Worker).invoke(&events::batch(std::slice::from_ref(&message)));
    let (polled, _) = program(Kind::Status).invoke(&poll(&message));
    assert!(
        String::from_utf8_lossy(&polled).contains("result_url"),
        "{}",
        String::from_utf8_lossy(&polled)
    );
    place.aws.counts().calls
}

/// Returns the events of a process.
fn events(kind: Kind, bodies: &[String], invocations: usize) -> Vec<Vec<u8>> {
    let all = invocations * (BLOCKS.0 + BLOCKS.1) / BLOCKS.1;
    match kind {
        Kind::Hello => vec![events::request("GET", "/", None, None); all],
        Kind::Submit => (0..all).map(submission).collect(),
        Kind::Worker => bodies.chunks_exact(BATCH).map(events::batch).collect(),
        Kind::Status => bodies.iter().take(all).map(|body| poll(body)).collect(),
    }
}

/// Returns the request that submits the job with this number.
pub(crate) fn submission(n: usize) -> Vec<u8> {
    const BODY: &str = r#"{"result":{"order":1042,"total":49,"lines":["coat hanger","coat hanger","coat hanger"]}}"#;
    events::request(
        "POST",
        "/commands/diagnostic.run",
        Some(&format!("order-{n}")),
        Some(BODY),
    )
}

/// Returns the request that polls the job of a message.
pub(crate) fn poll(body: &str) -> Vec<u8> {
    let message: serde_json::Value = serde_json::from_str(body).expect("a message of ours");
    events::request(
        "GET",
        &format!("/jobs/{}", message["job"].as_str().expect("a job")),
        None,
        None,
    )
}

/// Returns the duration of each invocation.
pub(crate) fn run(function: &mut Function, events: &[Vec<u8>]) -> Vec<Duration> {
    events
        .iter()
        .map(|event| function.invoke(event).1)
        .collect()
}

pub(crate) fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

#[expect(clippy::cast_precision_loss, reason = "counts are small")]
pub(crate) fn count(n: usize) -> f64 {
    n as f64
}

#[expect(clippy::cast_precision_loss, reason = "memory is small")]
fn kib(n: u64) -> f64 {
    n as f64
}
