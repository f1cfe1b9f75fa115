//! A dev runner that is measured, and connections to it.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;

pub(crate) struct Runner {
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
    /// Starts the program, with options for its data.
    pub(crate) fn start(program: &Path, keep: &[&str]) -> Self {
        let mut child = Command::new(program)
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

    /// Connects a client.
    pub(crate) fn connect(&self) -> Connection {
        let stream = TcpStream::connect(&self.address).expect("it listens");
        stream.set_nodelay(true).expect("a socket");
        Connection(BufReader::new(stream))
    }

    /// Returns the process id.
    pub(crate) fn process(&self) -> u32 {
        self.child.id()
    }
}

/// Response of a dev runner.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) location: String,
    pub(crate) body: String,
}

/// Connection of a client, for one request after the other.
pub(crate) struct Connection(BufReader<TcpStream>);

impl Connection {
    /// Sends a request with these header lines, each with its end, and reads the whole response.
    pub(crate) fn ask(&mut self, method: &str, path: &str, headers: &str, body: &str) -> Answer {
        let length = body.len();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n{headers}\r\n{body}"
        );
        self.0
            .get_mut()
            .write_all(request.as_bytes())
            .expect("it takes requests");
        let status = self.line().split(' ').nth(1).map(str::parse);
        let status = status.expect("a status line").expect("a status");
        let (mut location, mut length) = (String::new(), None);
        while let Some((name, value)) = self.line().split_once(": ") {
            match name {
                "location" => value.clone_into(&mut location),
                "content-length" => length = Some(value.parse().expect("a number")),
                _ => {}
            }
        }
        let has_body = status != 204;
        let body = match length {
            Some(length) => self.bytes(length),
            None if has_body => self.chunks(),
            None => vec![],
        };
        Answer {
            status,
            location,
            body: String::from_utf8(body).expect("text"),
        }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).expect("it answers");
        line.trim_end().to_owned()
    }

    fn bytes(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        self.0.read_exact(&mut bytes).expect("it answers");
        bytes
    }

    /// Reads a chunked body.
    fn chunks(&mut self) -> Vec<u8> {
        let mut body = vec![];
        loop {
            let length = usize::from_str_radix(&self.line(), 16).expect("a length in hex");
            body.extend(self.bytes(length));
            self.line();
            if length == 0 {
                return body;
            }
        }
    }
}
