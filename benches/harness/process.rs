//! Process of a function: its start, its invocations by a local Runtime API, its CPU time and its memory.

use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use std::{fs, io, thread};

use crate::http::{self, Request};

/// Maximum duration of an invocation.
const TIMEOUT: Duration = Duration::from_secs(60);

/// A request of the function, its time, and the channel for the response.
type Asked = (Request, Instant, Sender<Vec<u8>>);

/// A function that waits for its next event.
pub(crate) struct Function {
    child: Child,
    asked: Receiver<Asked>,
    next: Sender<Vec<u8>>,
    /// Time from the start of the process to its first request for an event.
    pub(crate) start: Duration,
    invocations: u32,
}

impl Drop for Function {
    fn drop(&mut self) {
        // The process may have ended by itself.
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

impl Function {
    /// Starts a function, and waits until it requests an event.
    pub(crate) fn start(mut program: Command, variables: &[(&str, String)]) -> Self {
        let (questions, asked) = mpsc::channel::<Asked>();
        let api = http::serve(
            |stream| stream,
            move |request| {
                let (sender, answer) = mpsc::channel();
                _ = questions.send((request, Instant::now(), sender));
                // The channel is closed when the function is ended.
                answer.recv().unwrap_or_default()
            },
        );
        let begun = Instant::now();
        let mut child = program
            .env_clear()
            .envs(variables.iter().map(|(name, value)| (name, value)))
            .env("AWS_LAMBDA_RUNTIME_API", api)
            .env("AWS_LAMBDA_FUNCTION_NAME", "bench")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256")
            .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("it starts");
        let mut log = child.stdout.take().expect("it is piped");
        thread::spawn(move || io::copy(&mut log, &mut io::sink()));
        let (_, at, next) = asked.recv_timeout(TIMEOUT).expect("it asks for an event");
        Self {
            child,
            asked,
            next,
            start: at - begun,
            invocations: 0,
        }
    }

    pub(crate) fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// Returns the response to an event, and the duration.
    pub(crate) fn invoke(&mut self, event: &[u8]) -> (Vec<u8>, Duration) {
        self.invocations += 1;
        let deadline = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .expect("after 1970")
            + TIMEOUT;
        let headers = format!(
            "Content-Type: application/json\r\nLambda-Runtime-Aws-Request-Id: {:08x}-0000-4000-8000-000000000000\r\n\
             Lambda-Runtime-Deadline-Ms: {}\r\n\
             Lambda-Runtime-Invoked-Function-Arn: arn:aws:lambda:us-east-1:000000000000:function:bench\r\n\
             Lambda-Runtime-Trace-Id: Root=1-5759e988-bd862e3fe1be46a994272793\r\n",
            self.invocations,
            deadline.as_millis()
        );
        let event = http::answer("200 OK", &headers, event);
        let begun = Instant::now();
        self.next.send(event).expect("it waits for it");
        let (answer, at, sender) = self.asked.recv_timeout(TIMEOUT).expect("it answers");
        assert!(
            answer.path.ends_with("/response"),
            "{}",
            String::from_utf8_lossy(&answer.body)
        );
        sender
            .send(http::answer("202 Accepted", "", b""))
            .expect("it waits for it");
        let (next, _, sender) = self
            .asked
            .recv_timeout(TIMEOUT)
            .expect("it asks for another event");
        assert_eq!(next.method, "GET", "{}", next.path);
        self.next = sender;
        (answer.body, at - begun)
    }

    /// Returns the CPU time so far.
    pub(crate) fn cpu(&self) -> Duration {
        cpu_of(self.child.id())
    }

    /// Returns the maximum memory so far, in KiB.
    pub(crate) fn peak_memory(&self) -> u64 {
        self.memory("VmHWM:")
    }

    /// Returns the current memory that is not mapped from a file, in KiB.
    pub(crate) fn anonymous_memory(&self) -> u64 {
        self.memory("RssAnon:")
    }

    fn memory(&self, kind: &str) -> u64 {
        let status =
            fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("it runs");
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix(kind))
            .expect("Linux says so");
        line.trim()
            .trim_end_matches(" kB")
            .parse()
            .expect("a number")
    }
}

/// Returns the CPU time of all running threads of a process so far.
pub(crate) fn cpu_of(process: u32) -> Duration {
    let threads = fs::read_dir(format!("/proc/{process}/task")).expect("it runs");
    let nanoseconds = |path| {
        let text = fs::read_to_string(path).unwrap_or_default();
        text.split(' ')
            .next()
            .and_then(|text| text.parse::<u64>().ok())
            .unwrap_or_default()
    };
    let each = threads
        .filter_map(Result::ok)
        .map(|thread| nanoseconds(thread.path().join("schedstat")));
    Duration::from_nanos(each.sum())
}
