"""The check's own part; see `check`. Runs in the environment of requirements.txt."""

import argparse
import http.server
import json
import random
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections import defaultdict
from pathlib import Path

import boto3
import sqs_extended_client  # noqa: F401 (adds the extended client to boto3)
from cloudevents.http import from_json
from standardwebhooks.webhooks import Webhook

LARGE = 300_000


class Receiver:
    """A receiver of webhooks, which verifies each, and fails as asked."""

    def __init__(self, failing=0.0, hanging=0.0, failures=0, seed=1):
        """Fails at random, but at most `failures` times for a job: the third failure would be followed by half an hour."""
        self.failing, self.hanging, self.failures, self.random = failing, hanging, failures, random.Random(seed)
        self.failed = defaultdict(int)
        self.secret, self.accepted, self.forged = None, defaultdict(list), []
        self.lock, receiver = threading.Lock(), self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                try:
                    self.send_response(receiver.receive(body, dict(self.headers)))
                    self.end_headers()
                except OSError:
                    pass  # the sender was killed meanwhile

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            request_queue_size = 256
            daemon_threads = True

        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook?secret=1"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def receive(self, body, headers):
        try:
            Webhook(self.secret).verify(body, {name.lower(): value for name, value in headers.items()})
            event = from_json(body)
        except Exception as error:
            self.forged.append(repr(error))
            return 400
        with self.lock:
            job = event["subject"]
            fails, hangs = self.random.random() < self.failing, self.random.random() < self.hanging
            fails &= self.failed[job] < self.failures
            self.failed[job] += fails
        if hangs:
            time.sleep(14)
        if fails:
            return 500
        with self.lock:
            self.accepted[event["subject"]].append((int(event["sequence"]), event["type"], event["id"]))
        return 204


class Runner:
    """The dev runner over a folder, which can be killed and started again on the same port."""

    def __init__(self, demo, folder, log):
        self.demo, self.folder, self.log, self.port = demo, Path(folder) / "data", log, 0
        self.start()

    def start(self):
        command = [self.demo, "dev", "--listen", f"127.0.0.1:{self.port}", "--data", self.folder, "--reply-queue", "orders"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=self.log, text=True)
        lines = iter(self.process.stdout.readline, "")
        self.url = next(line.split()[-1] for line in lines if line.startswith("listening on "))
        self.port = int(self.url.rsplit(":", 1)[1])
        queue = next(line for line in lines if line.startswith("reply queue "))
        self.queue = re.match(r"reply queue orders: (\S+) \(region (\S+), access key (\S+), secret key ([^)]+)\)", queue).groups()

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def secret(self, *more):
        command = [self.demo, "webhook-secret", "--data", self.folder, *more]
        lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
        assert len(lines) == 1 and lines[0].startswith("whsec_"), lines
        return lines[0]

    def call(self, method, path, headers=None, body=None):
        """Status, headers and body of a response; asks again while the runner is down."""
        for _ in range(200):
            request = urllib.request.Request(self.url + path, method=method, headers=headers or {}, data=body)
            try:
                with urllib.request.urlopen(request, timeout=60) as answer:
                    return answer.status, answer.headers, answer.read()
            except urllib.error.HTTPError as error:
                if error.code < 500:
                    return error.code, error.headers, error.read()
            except (OSError, http.client.HTTPException):
                pass
            time.sleep(0.1)
        raise AssertionError(f"{method} {path}: no answer")

    def submit(self, payload, key, **headers):
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        headers |= {"content-type": "application/json", "idempotency-key": key}
        status, answered, body = self.call("POST", "/commands/diagnostic.run", headers, json.dumps(payload).encode())
        assert status < 300, (status, body)
        return answered["location"].rsplit("/", 1)[1]


def until(what, condition, seconds):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"{what}: not within {seconds} s"
        time.sleep(0.2)


def webhooks(runner, receiver):
    """All changes of a job arrive in order, also while the secret is replaced."""
    job = runner.submit({"duration_ms": 2500, "progress_steps": 2}, "one", callback_url=receiver.url, callback_events="all")
    before = receiver.secret
    receiver_of_old, receiver.secret = before, runner.secret("--rotate")
    assert receiver.secret != before and runner.secret() == receiver.secret
    ended = lambda of: any(kind == "cloakroom.job.succeeded" for _, kind, _ in receiver.accepted[of])
    until("the end of a job", lambda: ended(job), 90)
    versions = [version for version, _, _ in receiver.accepted[job]]
    assert versions == sorted(versions), versions
    receiver.secret = receiver_of_old
    another = runner.submit({}, "two", callback_url=receiver.url)
    until("an event that the old secret verifies", lambda: ended(another), 90)
    receiver.secret = runner.secret()
    print(f"webhooks: {len(versions)} events of one job in order, verified with the new and the old secret")


def replies(runner):
    """A large result is a claim check that Amazon's extended client reads."""
    url, region, access_key, secret_key = runner.queue
    end = url.split("/000000000000/")[0]
    keys = {"region_name": region, "aws_access_key_id": access_key, "aws_secret_access_key": secret_key}
    sqs = boto3.client("sqs", endpoint_url=end, **keys)
    ports = json.loads((runner.folder / "ports.json").read_text())
    sqs.s3_client = boto3.client("s3", endpoint_url=f"http://127.0.0.1:{ports['s3']}", **keys)
    sqs.large_payload_support = "cloakroom"
    small, large = {"a": 1}, {"text": "x" * LARGE}
    publish = [{"type": "movie.created", "data": {"title": "Alien"}}]
    for key, result in (("small", small), ("large", large)):
        runner.submit({"result": result, "publish": publish}, f"reply-{key}", reply_to="orders", correlation_id=f"c-{key}")
    seen = {}
    def receive():
        answer = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=2, MessageAttributeNames=["All"])
        for message in answer.get("Messages", []):
            event = from_json(message["Body"])
            said = {name: value["StringValue"] for name, value in message["MessageAttributes"].items()}
            assert said["type"] == event["type"] and said["correlationid"] == event["correlationid"], said
            seen[(event["correlationid"], event["type"])] = event.data
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return len(seen) == 4
    until("four replies", receive, 60)
    assert seen[("c-small", "cloakroom.job.succeeded")]["result"] == small
    assert seen[("c-large", "cloakroom.job.succeeded")]["result"] == large
    assert seen[("c-small", "movie.created")] == {"title": "Alien"}
    print(f"replies: {len(seen)}, one of {LARGE} bytes by the extended client")


def plain(runner, secret):
    """A receiver that hangs does not delay jobs without listeners."""
    receiver = Receiver(hanging=1.0)
    receiver.secret = secret
    def median(name):
        times = []
        for n in range(50):
            begun = time.monotonic()
            runner.submit({}, f"{name}-{n}", prefer="wait=20")
            times.append(time.monotonic() - begun)
        return statistics.median(times)
    before = median("before")
    listening = [runner.submit({}, f"listening-{n}", callback_url=receiver.url) for n in range(10)]
    until("ten deliveries that hang", lambda: len(receiver.failed) == len(listening), 30)
    beside = median("beside")
    assert not receiver.accepted, "no delivery hung any more"
    until("the end of the deliveries", lambda: all(receiver.accepted[job] for job in listening), 60)
    print(f"plain jobs: {before * 1000:.1f} ms each; beside a receiver that hangs {beside * 1000:.1f} ms, or {beside / before:.2f} of that")


def many(runner, receiver, jobs, kill):
    """Every terminal event arrives, and none is forged, whatever fails."""
    begun = time.monotonic()
    ids = [runner.submit({"duration_ms": 20}, f"many-{n}", callback_url=receiver.url) for n in range(jobs)]
    kills = 0
    def done():
        nonlocal kills
        if kill and kills < 5 and time.monotonic() - begun > 5 * (kills + 1):
            runner.kill()
            runner.start()
            kills += 1
        return all(receiver.accepted[job] for job in ids)
    until(f"{jobs} terminal events", done, 1800)
    assert not kill or kills, "it was over before it was killed"
    assert not receiver.forged, receiver.forged[:3]
    twice = sum(len(receiver.accepted[job]) > 1 for job in ids)
    for job in ids:
        assert len({event for _, _, event in receiver.accepted[job]}) == 1, receiver.accepted[job]
    print(f"many: {jobs} terminal events in {time.monotonic() - begun:.0f} s, {twice} of them more than once; killed {kills} times")


def main():
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("demo")
    asked.add_argument("--jobs", type=int, default=30)
    asked.add_argument("--kill", action="store_true")
    asked.add_argument("--seed", type=int, default=1)
    asked = asked.parse_args()
    with tempfile.TemporaryDirectory() as folder, open(Path(folder) / "log", "w+") as log:
        runner = Runner(asked.demo, folder, log)
        try:
            receiver = Receiver()
            receiver.secret = runner.secret()
            webhooks(runner, receiver)
            replies(runner)
            plain(runner, receiver.secret)
            failing = Receiver(1 / 3, 0.01 if asked.kill else 0, 2 if asked.kill else 1, asked.seed)
            failing.secret = runner.secret()
            many(runner, failing, asked.jobs, asked.kill)
        except BaseException:
            log.seek(0)
            sys.stderr.writelines(log.readlines()[-20:])
            raise
        finally:
            runner.kill()


if __name__ == "__main__":
    main()
