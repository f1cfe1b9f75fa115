"""A dev runner as a process, for the checks in Python."""

import os
import subprocess
from contextlib import contextmanager
from pathlib import Path

from tools import ROOT, Problem

# The folder that cargo builds the checks' programs into.
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).resolve()


def built(name):
    """A program as `cargo test --workspace` built it beside the tests."""
    program = TARGET / "debug" / name
    if not program.exists():
        raise Problem(f"{program} is not built: run `cargo test --workspace`")
    return program


@contextmanager
def dev_runner(program, log):
    """Starts the program of a service in memory on a free port, and gives its process and URL. It is killed at the end."""
    command = [program, "dev", "--listen", "127.0.0.1:0", "--memory"]
    runner = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
    try:
        # Not a loop over the file, which reads ahead and waits.
        lines = iter(runner.stdout.readline, "")
        url = next((line.split()[-1] for line in lines if line.startswith("listening on ")), None)
        if not url:
            raise Problem("the dev runner ended before it listened")
        yield runner, url
    finally:
        runner.kill()
        runner.wait()
