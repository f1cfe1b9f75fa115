"""Lambda's runtime API for one function process, on loopback.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html: the process asks for the next invocation, and posts its
answer or its error. One invocation is in the process at a time.
"""

import json
import queue
import re
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

NEXT = "/2018-06-01/runtime/invocation/next"
INIT_ERROR = "/2018-06-01/runtime/init/error"
END = re.compile(r"/2018-06-01/runtime/invocation/([^/]+)/(response|error)")

# Between the head of a streamed answer and its body: https://docs.aws.amazon.com/lambda/latest/dg/runtimes-custom.html
STREAM_HEAD_ENDS = b"\0" * 8


@dataclass
class Invocation:
    """What the process is asked to do."""

    request_id: str
    function_arn: str
    trace: str
    deadline_ms: int
    payload: bytes


@dataclass
class Answer:
    """What it said."""

    is_error: bool
    body: bytes


class RuntimeApi:
    """Serves one process. `ready` is set once it asks for work, or says that it can't start."""

    def __init__(self):
        self.ready = threading.Event()
        self.init_error = None
        self._work = queue.Queue()
        self._answers = {}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True).start()

    @property
    def address(self):
        return "127.0.0.1:%d" % self._server.server_address[1]

    def hand_over(self, invocation):
        """Hands an invocation to the process; its answer comes through the queue that this returns."""
        answers = self._answers[invocation.request_id] = queue.Queue()
        self._work.put(invocation)
        return answers

    def forget(self, request_id):
        self._answers.pop(request_id, None)

    def close(self):
        self._work.put(None)  # whoever still waits for work gets none
        self._server.shutdown()
        self._server.server_close()

    def _handler(self):
        api = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_GET(self):
                if self.path != NEXT:
                    return self._send(404)
                api.ready.set()
                work = api._work.get()
                if work is None:
                    return self._send(410)
                headers = {
                    "Content-Type": "application/json",
                    "Lambda-Runtime-Aws-Request-Id": work.request_id,
                    "Lambda-Runtime-Deadline-Ms": str(work.deadline_ms),
                    "Lambda-Runtime-Invoked-Function-Arn": work.function_arn,
                    "Lambda-Runtime-Trace-Id": work.trace,
                }
                self._send(200, work.payload, headers)

            def do_POST(self):
                body = self._body()
                if self.path == INIT_ERROR:
                    api.init_error = body
                    api.ready.set()
                    return self._send(202, b"{}")
                end = END.fullmatch(self.path)
                answers = end and api._answers.get(end.group(1))
                if not answers:
                    return self._send(400, b'{"errorType":"InvalidRequestID"}')
                if self.headers.get("Lambda-Runtime-Function-Response-Mode", "").lower() == "streaming":
                    body = whole(body)
                answers.put(Answer(end.group(2) == "error", body))
                self._send(202, b"{}")

            def _body(self):
                if "chunked" not in self.headers.get("Transfer-Encoding", "").lower():
                    return self.rfile.read(int(self.headers.get("Content-Length", 0)))
                body = b""
                while size := int(self.rfile.readline().split(b";")[0], 16):
                    body += self.rfile.read(size)
                    self.rfile.readline()
                while self.rfile.readline().strip():
                    pass  # trailers
                return body

            def _send(self, status, body=b"", headers=None):
                self.send_response(status)
                for name, value in (headers or {}).items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        return Handler


def whole(streamed):
    """A streamed answer as one that is not: its head, with its body as text."""
    head, mark, body = streamed.partition(STREAM_HEAD_ENDS)
    if not mark:
        return streamed
    return json.dumps({**json.loads(head), "body": body.decode("utf-8", "replace")}).encode()
