//! The part of HTTP/1.1 that the runtime and the SDK use, with one thread per connection.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

/// A request with its body.
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// Length of the request in bytes.
    pub(crate) bytes: usize,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }
}

/// Serves all connections until the process ends. `wrap` wraps a connection, for example in TLS. Returns the address.
pub(crate) fn serve<S: Read + Write>(
    wrap: impl Fn(TcpStream) -> S + Send + Sync + 'static,
    answer: impl Fn(Request) -> Vec<u8> + Send + Sync + 'static,
) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address").to_string();
    let (wrap, answer) = (Arc::new(wrap), Arc::new(answer));
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            stream.set_nodelay(true).expect("a socket");
            let (wrap, answer) = (Arc::clone(&wrap), Arc::clone(&answer));
            // A broken connection means that its function has ended.
            thread::spawn(move || _ = converse(BufReader::new(wrap(stream)), &*answer));
        }
    });
    address
}

fn converse<S: Read + Write>(
    mut stream: BufReader<S>,
    answer: &impl Fn(Request) -> Vec<u8>,
) -> io::Result<()> {
    while let Some(request) = read(&mut stream)? {
        let answer = answer(request);
        stream.get_mut().write_all(&answer)?;
        stream.get_mut().flush()?;
    }
    Ok(())
}

fn read(stream: &mut impl BufRead) -> io::Result<Option<Request>> {
    let mut line = String::new();
    if stream.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let mut words = line.split_whitespace();
    let (method, path) = (
        words.next().unwrap_or_default().to_owned(),
        words.next().unwrap_or_default().to_owned(),
    );
    let mut request = Request {
        method,
        path,
        headers: vec![],
        body: vec![],
        bytes: line.len(),
    };
    loop {
        line.clear();
        request.bytes += stream.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(':') else {
            break;
        };
        request
            .headers
            .push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    if request.header("transfer-encoding") == Some("chunked") {
        loop {
            line.clear();
            request.bytes += stream.read_line(&mut line)?;
            let length = usize::from_str_radix(line.trim(), 16).map_err(io::Error::other)?;
            let start = request.body.len();
            request.body.resize(start + length, 0);
            stream.read_exact(&mut request.body[start..])?;
            stream.read_exact(&mut [0; 2])?;
            if length == 0 {
                break;
            }
        }
    } else if let Some(length) = request
        .header("content-length")
        .and_then(|text| text.parse().ok())
    {
        request.body.resize(length, 0);
        stream.read_exact(&mut request.body)?;
    }
    request.bytes += request.body.len();
    Ok(Some(request))
}

/// Returns a response with these headers, each with its line break.
pub(crate) fn answer(status: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let mut answer = format!(
        "HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\n\r\n",
        body.len()
    )
    .into_bytes();
    answer.extend_from_slice(body);
    answer
}
