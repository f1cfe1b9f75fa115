//! Time from the submission of a job without duration to its end, as its client sees it.

use std::fmt::Write as _;
use std::time::Instant;

use crate::place::Place;
use crate::runner::{Connection, Runner};
use crate::statistics::{median, percentile_99};

/// Number of measured jobs of each kind, and of earlier ones.
const JOBS: usize = 500;
const WARM_UP: usize = 50;

/// Longest time from submission to end that is aimed at, in milliseconds.
const GOAL: f64 = 20.0;

/// A client's way from the submission of a job to what it waits for. Returns the job's path.
type Way = fn(&mut Connection) -> String;

/// Ways in which a client learns of a job's end.
const WAYS: [(&str, Way); 4] = [
    ("`POST`, to the 202", submit),
    ("`POST` with `Prefer: wait=25`, to the end", held),
    ("`POST` with its events, to the end", followed),
    ("`POST`, and polls without a pause until the end", polled),
];

/// Submits a job. Returns its path.
fn submit(connection: &mut Connection) -> String {
    let answer = connection.ask("POST", "/commands/diagnostic.run", "", "{}");
    assert_eq!(answer.status, 202);
    answer.location
}

fn held(connection: &mut Connection) -> String {
    let wait = "Prefer: wait=25\r\n";
    let answer = connection.ask("POST", "/commands/diagnostic.run", wait, "{}");
    assert_eq!(answer.status, 200, "the job has ended");
    answer.location
}

fn followed(connection: &mut Connection) -> String {
    let job = submit(connection);
    let answer = connection.ask("GET", &format!("{job}/events"), "", "");
    assert!(
        answer.body.contains(r#""status":"succeeded""#),
        "{}",
        answer.body
    );
    job
}

fn polled(connection: &mut Connection) -> String {
    let job = submit(connection);
    wait(connection, &job);
    job
}

fn wait(connection: &mut Connection, job: &str) {
    while connection.ask("GET", job, "", "").status == 202 {}
}

pub(crate) fn measure(place: &Place) -> String {
    let mut page = format!(
        "\n## A job without duration\n\nThe dev runner as `cargo build --release` builds it, and one client on the same cores: {JOBS} jobs of each \
         kind, by turns. A job has ended after one message and three writes. The ratio is to the floor, a poll of a job that has \
         ended, in the same run. A client that polls as `Retry-After` advises sees the end after 1 s.\n\n\
         | kept | from the first byte sent to the last one read | median, ms | 99 % within, ms | ratio | goal, ms |\n|---|---|--:|--:|--:|--:|\n"
    );
    let folder = place.program("bench").join("instant");
    let data = folder.to_str().expect("UTF-8");
    for (kept, keep) in [
        ("in memory", vec!["--memory"]),
        ("in a folder", vec!["--data", data]),
    ] {
        // Removes data of an earlier run.
        _ = std::fs::remove_dir_all(&folder);
        let runner = Runner::start(&place.program("demo"), &keep);
        let mut connection = runner.connect();
        let over = submit(&mut connection);
        let floor = |connection: &mut Connection| _ = connection.ask("GET", &over, "", "");
        let (mut floors, mut times) = (vec![], [const { vec![] }; WAYS.len()]);
        for n in 0..WARM_UP + JOBS {
            let ((), polled) = milliseconds(|| floor(&mut connection));
            let ways = WAYS.map(|(_, way)| {
                let (job, time) = milliseconds(|| way(&mut connection));
                wait(&mut connection, &job);
                time
            });
            if n >= WARM_UP {
                floors.push(polled);
                for (times, time) in times.iter_mut().zip(ways) {
                    times.push(time);
                }
            }
        }
        let least = median(floors.iter().copied());
        let mut line = |way: &str, times: Vec<f64>, goal: &str| {
            let (middle, most) = (median(times.iter().copied()), percentile_99(times));
            _ = writeln!(
                page,
                "| {kept} | {way} | {middle:.2} | {most:.2} | {:.1} | {goal} |",
                middle / least
            );
        };
        line("floor: a poll of a job that has ended", floors, "");
        for ((way, _), times) in WAYS.iter().zip(times) {
            let goal = if way.ends_with("to the end") {
                &*GOAL.to_string()
            } else {
                ""
            };
            line(way, times, goal);
        }
        eprintln!("a job without duration, {kept}");
    }
    page
}

fn milliseconds<T>(act: impl FnOnce() -> T) -> (T, f64) {
    let begun = Instant::now();
    let made = act();
    (made, begun.elapsed().as_secs_f64() * 1000.0)
}
