//! Load test of the dev runner: the number of jobs that it accepts and ends per second, and the resources for that.

use std::fmt::Write as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::function::count;
use crate::place::Place;
use crate::runner::{Connection, Runner};

/// Number of clients, each with its own connection.
const CLIENTS: usize = 16;
/// Number of jobs measured at each mark, and the marks: the number of earlier jobs in the table.
const JOBS: usize = 1000;
const MARKS: [usize; 2] = [0, 5_000];

/// Clients of one dev runner, at the same time.
struct Clients(Runner);

impl Clients {
    /// Distributes this many calls among the clients. Returns the results.
    fn by_clients<T: Send>(
        &self,
        all: usize,
        each: impl Fn(&mut Connection, usize) -> T + Sync,
    ) -> Vec<T> {
        let (next, made) = (AtomicUsize::new(0), Mutex::new(vec![]));
        thread::scope(|scope| {
            for _ in 0..CLIENTS {
                scope.spawn(|| {
                    let mut connection = self.0.connect();
                    loop {
                        let n = next.fetch_add(1, Ordering::Relaxed);
                        if n >= all {
                            break;
                        }
                        let one = each(&mut connection, n);
                        made.lock().expect("no client panics").push(one);
                    }
                });
            }
        });
        made.into_inner().expect("no client panics")
    }

    fn submit(&self, jobs: usize) -> Vec<String> {
        const BODY: &str = r#"{"result":{"order":1042,"total":49}}"#;
        self.by_clients(jobs, |connection, _| {
            let answer = connection.ask("POST", "/commands/diagnostic.run", "", BODY);
            assert_eq!(answer.status, 202);
            answer.location
        })
    }

    /// Waits until all jobs have ended.
    fn wait(&self, jobs: &[String]) {
        self.by_clients(jobs.len(), |connection, n| {
            while connection.ask("GET", &jobs[n], "", "").status == 202 {
                thread::sleep(Duration::from_millis(20));
            }
        });
    }
}

pub(crate) fn measure(place: &Place) -> String {
    let mut page = format!(
        "\n## The dev runner\n\n`cloakroom dev` as `cargo run` builds it, and {CLIENTS} clients beside it on the same cores: {JOBS} jobs \
         from the first submission to the last one's end, and as many polls of jobs that are over. *Cores* is what the \
         program itself used of the machine's; what the clients used comes on top.\n\n\
         | kept | jobs in the table | jobs/s | cores | CPU a job, ms | polls/s | cores |\n|---|--:|--:|--:|--:|--:|--:|\n"
    );
    let folder = place.program("bench").join("dev");
    for (kept, keep) in [
        ("in memory", vec!["--memory"]),
        (
            "in a folder",
            vec!["--data", folder.to_str().expect("UTF-8")],
        ),
    ] {
        // Removes data of an earlier run.
        _ = std::fs::remove_dir_all(&folder);
        let runner = Clients(Runner::start(&place.program("../debug/demo"), &keep));
        let warm = runner.submit(100);
        runner.wait(&warm);
        let mut there = warm.len();
        for mark in MARKS {
            let filling = runner.submit(mark.saturating_sub(there));
            runner.wait(&filling);
            there = there.max(mark);
            let (jobs, worked, of_work) = timed(&runner, || {
                let jobs = runner.submit(JOBS);
                runner.wait(&jobs);
                jobs
            });
            let ((), polled, of_polls) = timed(&runner, || runner.wait(&jobs));
            let rate = |time: Duration| count(JOBS) / time.as_secs_f64();
            let cores = |cpu: Duration, time: Duration| cpu.as_secs_f64() / time.as_secs_f64();
            _ = writeln!(
                page,
                "| {kept} | {there} | {:.0} | {:.2} | {:.2} | {:.0} | {:.2} |",
                rate(worked),
                cores(of_work, worked),
                of_work.as_secs_f64() * 1000.0 / count(JOBS),
                rate(polled),
                cores(of_polls, polled),
            );
            there += JOBS;
            eprintln!("dev runner {kept}: {there} jobs");
        }
    }
    page
}

/// Returns the CPU time of a process so far, including its ended threads, with a resolution of 0.01 s.
fn cpu_of(process: u32) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).expect("it runs");
    // The fields follow the name, which is in parentheses.
    let fields = stat
        .rsplit(')')
        .next()
        .unwrap_or_default()
        .split_whitespace()
        .skip(11)
        .take(2);
    Duration::from_millis(
        10 * fields
            .filter_map(|ticks| ticks.parse::<u64>().ok())
            .sum::<u64>(),
    )
}

/// Measures the duration, and the CPU time of the runner.
fn timed<T>(runner: &Clients, act: impl FnOnce() -> T) -> (T, Duration, Duration) {
    let (begun, before) = (Instant::now(), cpu_of(runner.0.process()));
    let made = act();
    (
        made,
        begun.elapsed(),
        cpu_of(runner.0.process()).saturating_sub(before),
    )
}
