//! Counts instructions of an invocation with callgrind on the real binaries. Other load of the machine does not affect
//! them. Instructions of the kernel are not included.

use crate::callgrind::collected;
use crate::events;
use crate::function::{BATCH, Kind, Maker, poll, run, submission};
use crate::place::Place;

/// Numbers of invocations of the two runs.
const TIMES: [usize; 2] = [20, 100];

/// Returns the number of instructions per invocation. `None` without valgrind.
pub(crate) fn each(place: &Place, maker: Maker, kind: Kind) -> Option<u64> {
    let program = maker.program(kind)?;
    let [few, many] = TIMES.map(|times| {
        if kind == Kind::Worker {
            times / BATCH
        } else {
            times
        }
    });
    let made = jobs(place, maker, many * BATCH);
    let of = |times: usize| -> Option<u64> {
        let events: Vec<_> = match kind {
            Kind::Hello => vec![events::request("GET", "/", None, None); times],
            Kind::Submit => (0..times).map(submission).collect(),
            Kind::Worker => made.chunks(BATCH).take(times).map(events::batch).collect(),
            Kind::Status => made.iter().take(times).map(|body| poll(body)).collect(),
        };
        let mut function = place.under_callgrind(&program)?;
        run(&mut function, &events);
        Some(collected(function))
    };
    let (few_took, many_took) = (of(few)?, of(many)?);
    Some((many_took - few_took) / u64::try_from(many - few).expect("a few"))
}

/// Returns the messages of this many jobs.
fn jobs(place: &Place, maker: Maker, jobs: usize) -> Vec<String> {
    let program = maker.program(Kind::Submit).expect("both have one");
    place.aws.messages();
    run(
        &mut place.start(&program, false),
        &(0..jobs).map(submission).collect::<Vec<_>>(),
    );
    place.aws.messages()
}
