//! Load test of the dev runner: the number of jobs that it accepts and ends per second, and the resources for that.

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::function::count;
use crate::place::Place;

/// Number of clients, each with its own connection.
const CLIENTS: usize = 16;
/// Number of jobs measured at each mark, and the marks: the number of earlier jobs in the table.
const JOBS: usize = 1000;
const MARKS: [usize; 2] = [0, 5_000];

struct Runner {
    child: Child,
    address: String,
}

impl Drop for Runner {
    fn drop(&mut self) {
        // The process may have ended by itself.
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

impl Runner {
    fn start(place: &Place, keep: &[&str]) -> Self {
        let mut child = Command::new(place.program("../debug/demo"))
            .args(["dev", "--listen", "127.0.0.1:0"])
            .args(keep)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the program starts");
        let mut line = String::new();
        let mut said = BufReader::new(child.stdout.take().expect("it is piped"));
        said.read_line(&mut line).expect("it says where it listens");
        thread::spawn(move || std::io::copy(&mut said, &mut std::io::sink()));
        let address = line
            .trim()
            .strip_prefix("listening on http://")
            .expect("an address")
            .to_owned();
        Self { child, address }
    }

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
                    let mut connection = Connection::to(&self.address);
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
            let (status, location) = connection.ask("POST", "/commands/diagnostic.run", BODY);
            assert_eq!(status, 202);
            location
        })
    }

    /// Waits until all jobs have ended.
    fn wait(&self, jobs: &[String]) {
        self.by_clients(jobs.len(), |connection, n| {
            while connection.ask("GET", &jobs[n], "").0 == 202 {
                thread::sleep(Duration::from_millis(20));
            }
        });
    }
}

struct Connection(BufReader<TcpStream>);

impl Connection {
    fn to(address: &str) -> Self {
        let stream = TcpStream::connect(address).expect("it listens");
        stream.set_nodelay(true).expect("a socket");
        Self(BufReader::new(stream))
    }

    /// Returns the status and the location of the response.
    fn ask(&mut self, method: &str, path: &str, body: &str) -> (u16, String) {
        let length = body.len();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
        );
        self.0
            .get_mut()
            .write_all(request.as_bytes())
            .expect("it takes requests");
        let (mut line, mut location, mut length) = (String::new(), String::new(), 0);
        self.0.read_line(&mut line).expect("it answers");
        let status = line
            .split(' ')
            .nth(1)
            .and_then(|text| text.parse().ok())
            .expect("a status");
        loop {
            line.clear();
            self.0.read_line(&mut line).expect("it answers");
            let Some((name, value)) = line.trim_end().split_once(": ") else {
                break;
            };
            match name {
                "location" => value.clone_into(&mut location),
                "content-length" => length = value.parse().expect("a number"),
                _ => {}
            }
        }
        self.0.read_exact(&mut vec![0; length]).expect("it answers");
        (status, location)
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
        let runner = Runner::start(place, &keep);
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
fn timed<T>(runner: &Runner, act: impl FnOnce() -> T) -> (T, Duration, Duration) {
    let (begun, before) = (Instant::now(), cpu_of(runner.child.id()));
    let made = act();
    (
        made,
        begun.elapsed(),
        cpu_of(runner.child.id()).saturating_sub(before),
    )
}
