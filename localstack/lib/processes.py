"""Processes that outlive the script that starts them: known by their id and the time they started, and ended by it."""

import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request

from tools import Problem, tail


def free_port():
    with socket.socket() as chosen:
        chosen.bind(("127.0.0.1", 0))
        return chosen.getsockname()[1]


def is_free(port):
    with socket.socket() as wanted:
        wanted.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            wanted.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def start(command, log, variables=None, folder=None):
    """Starts a process in a session of its own. Returns what it is known by."""
    with open(log, "a") as file:
        process = subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(variables or {})},
            cwd=folder,
            start_new_session=True,
        )
    return {"pid": process.pid, "started": started(process.pid), "log": str(log)}


def started(pid):
    """When a process started; another one that was given the same id later started at another time."""
    asked = subprocess.run(["ps", "-o", "lstart=,stat=", "-p", str(pid)], capture_output=True, text=True)
    *when, state = asked.stdout.split() or [""]
    return "" if state.startswith("Z") else " ".join(when)


def is_alive(known):
    return bool(known["started"]) and started(known["pid"]) == known["started"]


def stop(known, patience=15):
    """Ends a process and what it started: its group, which bears its id, and lives on where it died itself."""
    group = known["pid"]
    if started(group) not in ("", known["started"]):
        return  # it is gone, and its id is another's
    for sign, seconds in ((signal.SIGTERM, patience), (signal.SIGKILL, 5)):
        ends = time.monotonic() + seconds
        send(group, sign)
        while send(group, 0):
            if time.monotonic() > ends:
                break
            reap(group)
            time.sleep(0.05)
        else:
            return


def send(group, sign):
    """Sends a signal to a group of processes. Returns whether there is such a group."""
    try:
        os.killpg(group, sign)
    except ProcessLookupError:
        return False
    return True


def reap(pid):
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        pass  # another script started it


def wait_for(url, known, seconds):
    """Waits until this URL answers; fails when the process ends before, or takes too long."""
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        if answers(url):
            return
        reap(known["pid"])
        if not is_alive(known):
            raise Problem(f"it ended before it listened, see {known['log']}:\n" + "".join(tail(known["log"], 20)))
        time.sleep(0.1)
    raise Problem(f"it did not answer in {seconds} s, see {known['log']}:\n" + "".join(tail(known["log"], 20)))


def answers(url):
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.status == 200
    except urllib.error.HTTPError as refused:
        return refused.code < 500  # DynamoDB Local answers 400 to a request that is none of its own
    except (urllib.error.URLError, OSError):
        return False
